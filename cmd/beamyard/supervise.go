package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// superviseCmd adopts a cluster in the foreground. With a request it is the background process
// of `up -d`: the package documentation describes the protocol.
type superviseCmd struct {
	Name    string `arg:"" complete:"cluster" help:"Name of the cluster."`
	Request bool   `hidden:"" help:"Read the request from stdin, and report on stdout."`
}

func (superviseCmd) Help() string {
	return `Nodes go on without their supervisor, but nothing restarts what crashes. This
takes them over as they are, handles what happened meanwhile, and says what
happens on stderr. Ctrl-C ends the supervision and leaves the nodes. In the
background: beamyard up NAME -d.`
}

// Run supervises a cluster until it is taken down. SIGTERM ends only the supervision.
func (c *superviseCmd) Run(ctx context.Context, a *app) error {
	w, err := newFailureEvidence(a)
	if err != nil {
		return err
	}
	if !c.Request {
		return c.adopt(ctx, a, w)
	}
	// The report goes to a parent that may have exited.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)

	var once sync.Once
	report := func(err error) {
		once.Do(func() {
			_, _ = a.out.Write(encodeReport(err, w.where())) // fails if the parent has exited
			if closer, ok := a.out.w.(io.Closer); ok {
				closer.Close() // end of the report, for the parent that reads it
			}
		})
	}
	err = c.supervise(ctx, a, w, report)
	if err == nil && ctx.Err() != nil {
		err = errInterrupted
	}
	report(err)
	return err
}

func (c *superviseCmd) supervise(ctx context.Context, a *app, w *failureEvidence, report func(error)) error {
	var req superviseRequest
	if err := json.NewDecoder(a.in).Decode(&req); err != nil {
		return usagef("beamyard supervise NAME", "supervise --request reads a spec from stdin: %v", err)
	}
	eng, err := a.engineFor(ctx, req.Spec)
	if err != nil {
		return err
	}
	defer eng.Close()
	return c.keep(ctx, a, w, eng, req, report)
}

// adopt supervises a cluster that is found by its labels.
func (c *superviseCmd) adopt(ctx context.Context, a *app, w *failureEvidence) error {
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	c.Name = clusterRef(c.Name)
	found, err := discovery.Find(ctx, eng, c.Name)
	if err != nil {
		return err
	}
	if found.Orphaned() {
		return orchestrator.WithHint(fmt.Errorf("%s was left behind by process %d, which kept it in the foreground", c.Name, found.Owner.PID), "remove it: beamyard down %s", c.Name)
	}
	own, err := a.engineOf(ctx, eng, found.Spec)
	if err != nil {
		return err
	}
	defer own.Close()
	err = c.keep(ctx, a, w, own, superviseRequest{Spec: found.Spec, Adopt: true}, func(err error) {
		if err == nil {
			a.say("%s is supervised; Ctrl-C ends that and leaves its nodes", c.Name)
		}
	})
	if err == nil && ctx.Err() != nil {
		a.say("%s keeps running, unsupervised", c.Name)
		return errInterrupted
	}
	return err
}

// keep supervises a cluster. It calls report with nil once the cluster is Ready.
func (c *superviseCmd) keep(ctx context.Context, a *app, w *failureEvidence, eng orchestrator.Engine, req superviseRequest, report func(error)) error {
	req.Spec.Owner = keeper.Self(true)
	cluster, err := cluster.New(req.Spec, eng, cluster.Options{Adopt: req.Adopt, OnFailure: w.hook(eng)})
	if err != nil {
		return err
	}
	socket, err := control.Listen(ctx, req.Spec.Name)
	switch {
	case errors.Is(err, control.ErrSupervised) && req.Adopt:
		return orchestrator.WithHint(fmt.Errorf("%s is supervised already", req.Spec.Name), "see it: beamyard ps %s", req.Spec.Name)
	case errors.Is(err, control.ErrSupervised):
		return errUp(req.Spec.Name)
	}
	if err != nil {
		return err
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	served := make(chan error, 1)
	page := newPage(work, &wg, cluster, eng)
	wg.Go(func() { served <- control.Serve(work, socket, paged{cluster, page}) })
	if req.Spec.UI {
		if _, err := page.open(ctx, control.PageRequest{}); err != nil {
			a.say("no page: %v", err)
		}
	}
	wg.Go(func() {
		// The log is short: the output of nodes stays with the engine.
		_ = cluster.Events(work, 0, true, func(e orchestrator.Event) error {
			if e.Kind != orchestrator.EventMesh {
				fmt.Fprintf(a.err, "%s  %s\n", e.Time.Format("2006-01-02T15:04:05.000Z07:00"), printable(e.String()))
			}
			return nil
		}) // ends with work
	})
	wg.Go(func() {
		if cluster.WaitReady(work) == nil {
			report(nil)
		}
	})
	err = cluster.Run(ctx)
	w.say()
	cancel()
	if err = errors.Join(err, <-served); err == nil && ctx.Err() == nil {
		return control.RemoveFiles(req.Spec.Name) // taken down: no files of it remain
	}
	return err
}
