package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/effects"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// outcome is the answer to an action.
type outcome struct {
	OK      bool   `json:"ok"`
	Command string `json:"command,omitempty"` // that does the same
	Said    string `json:"said,omitempty"`
	Error   string `json:"error,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// maxRequest bounds the body of an action: fifty nodes in groups take less than 2 KB.
const maxRequest = 64 << 10

// do carries out an action, or with ?dry=1 says only which command does the same.
func (s *Server) do(w http.ResponseWriter, r *http.Request) {
	dry := r.URL.Query().Get("dry") == "1"
	if !dry && !s.mayChange(r) {
		answer(w, http.StatusForbidden, outcome{Error: "this page is read-only", Hint: "open one that is not: " + hint.Page.On(r.PathValue("cluster")).String()})
		return
	}
	var asked request
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	body.DisallowUnknownFields()
	if err := body.Decode(&asked); err != nil {
		answer(w, http.StatusBadRequest, outcome{Error: "read request: " + err.Error()})
		return
	}
	// An action that has begun is carried out, even if the browser leaves.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), doTime)
	defer cancel()
	defer context.AfterFunc(s.work, cancel)() //nolint:contextcheck // the end of the server ends it too
	c, err := s.Source.Open(ctx, r.PathValue("cluster"))
	if err != nil {
		fail(w, secrets.NewMask(), "", err)
		return
	}
	defer c.close()
	mask := secrets.NewMask(c.Spec)
	a := action(r.PathValue("action"))
	p, err := planOf(c.Spec, a, asked)
	switch {
	case errors.Is(err, orchestrator.ErrNoNode):
		fail(w, mask, "", err)
	case err != nil:
		answer(w, http.StatusBadRequest, outcome{Error: mask.Text(err.Error()), Hint: orchestrator.HintOf(err).String()})
	case dry:
		answer(w, http.StatusOK, outcome{OK: true, Command: p.command})
	default:
		said, err := s.carryOut(ctx, c, a, p)
		if err != nil {
			fail(w, mask, p.command, err)
			return
		}
		answer(w, http.StatusOK, outcome{OK: true, Command: p.command, Said: mask.Text(said)})
	}
}

// fail answers that an action failed.
func fail(w http.ResponseWriter, mask *secrets.Mask, command string, err error) {
	status := http.StatusInternalServerError
	for _, k := range []struct {
		is     error
		status int
	}{
		{orchestrator.ErrNoNode, http.StatusNotFound},
		{orchestrator.ErrNoCluster, http.StatusNotFound},
		{orchestrator.ErrNotRunning, http.StatusConflict},
		{orchestrator.ErrConflict, http.StatusConflict},
		{orchestrator.ErrNoSupervisor, http.StatusConflict},
		{orchestrator.ErrClosed, http.StatusConflict},
		{orchestrator.ErrFaultUnsupported, http.StatusNotImplemented},
		{orchestrator.ErrEngineUnreachable, http.StatusServiceUnavailable},
		{context.DeadlineExceeded, http.StatusGatewayTimeout},
	} {
		if errors.Is(err, k.is) {
			status = k.status
			break
		}
	}
	answer(w, status, outcome{Command: command, Error: mask.Text(err.Error()), Hint: mask.Text(orchestrator.HintOf(err).String())})
}

// carryOut does what was planned, and returns what to say about it.
func (s *Server) carryOut(ctx context.Context, c *Cluster, a action, p plan) (said string, err error) {
	each := func(done string, err error) (string, error) { return strings.Join(p.nodes, ", ") + " " + done, err }
	switch a {
	case actKill:
		return each("got SIGKILL", c.Kill(ctx, "KILL", p.nodes...))
	case actStop:
		return each("stopped", c.Stop(ctx, p.nodes...))
	case actStart:
		return each("started", c.Start(ctx, p.nodes...))
	case actRestart:
		return each("restarted", c.Restart(ctx, p.nodes...))
	case actPause:
		return each("paused", c.Pause(ctx, p.nodes...))
	case actUnpause:
		return each("unpaused", c.Unpause(ctx, p.nodes...))
	case actSync:
		report, err := c.Sync(ctx, orchestrator.SyncOptions{Nodes: p.nodes})
		return report.Line(), err
	case actTakeOver:
		switch {
		case c.Supervised:
			return c.Spec.Name + " has a supervisor already", nil
		case c.TakeOver == nil:
			return "", orchestrator.WithHint(errors.New("this page cannot start a supervisor"), "%s", hint.Supervise.On(c.Spec.Name))
		}
		return c.Spec.Name + " has a supervisor now", c.TakeOver(ctx)
	case actPartition, actSlow, actBlip, actHeal:
	}
	if c.Faults == nil {
		return "", fmt.Errorf("%w: faults need it", orchestrator.ErrEngineUnreachable)
	}
	switch a {
	case actBlip:
		n, err := c.Faults.Blip(ctx, p.pairs, p.lasts)
		return fmt.Sprintf("%d connections reset", n), err
	case actHeal:
		return heal(ctx, c, p.ids)
	case actPartition, actSlow, actKill, actStop, actStart, actRestart, actPause, actUnpause, actSync, actTakeOver:
	}
	if p.fault.How == fault.Disconnect && !c.Supervised {
		return "", orchestrator.WithHint(fmt.Errorf("%w: it is what makes the VMs refuse each other", orchestrator.ErrNoSupervisor), "%s", hint.Supervise.On(c.Spec.Name))
	}
	f, err := c.Faults.Inject(ctx, p.fault, p.lasts)
	if err != nil {
		return "", err
	}
	lines := []string{f.ID + ": " + f.String()}
	for _, line := range effects.Expect(f, c.Spec, effects.Kernels(c.Spec, s.lastReport(c.Spec.Name).Report)).Lines() {
		lines = append(lines, "expect of "+line)
	}
	return strings.Join(lines, "\n"), nil
}

// heal ends faults, as the command does.
func heal(ctx context.Context, c *Cluster, ids []string) (string, error) {
	healed, err := c.Faults.Heal(ctx, ids...)
	var lines []string
	for _, f := range healed {
		if f.How == fault.Disconnect && !c.Supervised {
			err = errors.Join(err, c.Faults.Readmit(ctx, c.Controller, f))
		}
		lines = append(lines, f.ID+" is healed: "+f.String())
	}
	if len(lines) == 0 {
		lines = []string{"no fault is in force"}
	}
	return strings.Join(slices.Clip(lines), "\n"), err
}

// lastReport returns the last health report of a cluster that is watched. Its zero value means that
// there is none: what nodes are set to is then what the spec says.
func (s *Server) lastReport(cluster string) orchestrator.HealthReport {
	s.mu.Lock()
	f := s.feeds[cluster]
	s.mu.Unlock()
	if f == nil {
		return orchestrator.HealthReport{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known.health == nil {
		return orchestrator.HealthReport{}
	}
	return *f.known.health
}
