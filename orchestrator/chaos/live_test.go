package chaos

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/check"
	"github.com/beamyard/beamyard/orchestrator/faults"
)

// cluster is a cluster in one state.
type cluster struct {
	status orchestrator.Status
	did    []string
	says   map[string]string
}

func (c *cluster) act(action string, nodes []string) error {
	c.did = append(c.did, action+" "+strings.Join(nodes, " "))
	return nil
}

func (c *cluster) Status(context.Context) (orchestrator.Status, error) { return c.status, nil }
func (c *cluster) Kill(_ context.Context, signal string, nodes ...string) error {
	return c.act("kill "+signal, nodes)
}
func (c *cluster) Stop(_ context.Context, nodes ...string) error  { return c.act("stop", nodes) }
func (c *cluster) Start(_ context.Context, nodes ...string) error { return c.act("start", nodes) }
func (c *cluster) Pause(_ context.Context, nodes ...string) error { return c.act("pause", nodes) }
func (c *cluster) Unpause(_ context.Context, nodes ...string) error {
	return errors.Join(c.act("unpause", nodes), orchestrator.ErrNotRunning)
}

func (c *cluster) Eval(_ context.Context, node, _ string, _ orchestrator.EvalOptions) (string, error) {
	return base64.StdEncoding.EncodeToString([]byte(c.says[node])), nil
}

// Only what is down is started, and only what is paused is resumed.
func TestLive(t *testing.T) {
	c := &cluster{says: map[string]string{"n1": "true", "n2": "n1"}, status: orchestrator.Status{Nodes: []orchestrator.NodeStatus{
		{Name: "n1", State: orchestrator.Ready}, {Name: "n2", State: orchestrator.Degraded, Paused: true, Reason: "paused"},
		{Name: "n3", State: orchestrator.Failed}, {Name: "n4", State: orchestrator.BackingOff},
	}}}
	l := &Live{Cluster: c}
	ctx := t.Context()
	if err := errors.Join(l.Start(ctx), l.Start(ctx, "n1"), l.Start(ctx, "n3", "n4"), l.Unpause(ctx), l.Unpause(ctx, "n1"), l.Kill(ctx, "n1", "n2"), l.Stop(ctx, "n1"), l.Pause(ctx, "n1")); err != nil {
		t.Error(err)
	}
	if got, want := strings.Join(c.did, "; "), "start n3; start n3; unpause n2; kill KILL n1 n2; stop n1; pause n1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err, want := l.Ready(ctx), "n2 is degraded (paused); n3 is failed; n4 is backing-off"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if err := l.Holds(check.Check{Kind: check.True, Expression: "f()"})(ctx); err != nil { // n1 alone can answer
		t.Error(err)
	}
	c.says["n1"] = "n1"
	if leaders := l.Leaders("f()")(ctx); fmt.Sprint(leaders) != "[n1]" {
		t.Errorf("%v", leaders)
	}
	if l.Holds() != nil || l.Leaders("") != nil {
		t.Error("questions without an expression")
	}
	c.status.Ready = true
	if err := l.Ready(ctx); err != nil {
		t.Error(err)
	}
	c.status = orchestrator.Status{Nodes: c.status.Nodes[:1]}
	if err := l.Ready(ctx); err == nil || err.Error() != "the mesh is not full" {
		t.Errorf("%v", err)
	}
}

// A kill that would stop the cluster for good is missed.
func TestLiveKeepsTheBudget(t *testing.T) {
	c := &cluster{}
	l := &Live{Cluster: c, Faults: faults.Injector{Spec: orchestrator.Spec{OnFailed: orchestrator.FailedStopCluster, Restart: orchestrator.RestartPolicy{Max: 2}}}}
	for i := range 3 {
		if err := l.Kill(t.Context(), "n1"); errors.Is(err, orchestrator.ErrNotRunning) != (i == 2) {
			t.Errorf("kill %d: %v", i+1, err)
		}
	}
	if err := l.Kill(t.Context(), "n2"); err != nil || len(c.did) != 3 {
		t.Errorf("%v, %v", err, c.did)
	}
}
