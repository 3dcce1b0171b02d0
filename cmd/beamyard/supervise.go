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
	"github.com/beamyard/beamyard/orchestrator/control"
)

// superviseCmd is the background process of `up -d`. See the package
// documentation for how it is spoken to.
type superviseCmd struct {
	Name string `arg:"" help:"Name of the cluster, for who looks at the list of processes."`
}

// Run keeps a cluster until it is taken down. SIGTERM ends only the supervision.
func (c *superviseCmd) Run(ctx context.Context, a *app) error {
	// The report goes to a parent that may be gone.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)

	var once sync.Once
	report := func(err error) {
		once.Do(func() {
			_, _ = a.out.Write(control.EncodeError(err)) // who asked may have gone
			if closer, ok := a.out.w.(io.Closer); ok {
				closer.Close() // the end of the report, for who reads it
			}
		})
	}
	err := c.supervise(ctx, a, report)
	if err == nil && ctx.Err() != nil {
		err = errInterrupted
	}
	report(err)
	return err
}

func (c *superviseCmd) supervise(ctx context.Context, a *app, report func(error)) error {
	var req superviseRequest
	if err := json.NewDecoder(a.in).Decode(&req); err != nil {
		return usagef("beamyard up -d", "supervise reads a spec from stdin: %v", err)
	}
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	req.Spec.Owner = orchestrator.Self(true)
	cluster, err := orchestrator.New(req.Spec, eng, orchestrator.Options{Adopt: req.Adopt})
	if err != nil {
		return err
	}
	socket, err := control.Listen(req.Spec.Name)
	if errors.Is(err, control.ErrSupervised) {
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
	wg.Go(func() { served <- control.Serve(work, socket, cluster) })
	wg.Go(func() {
		// The log is short: nodes' output stays with the engine.
		_ = cluster.Events(work, 0, true, func(e orchestrator.Event) error {
			if e.Kind != orchestrator.EventMesh {
				fmt.Fprintf(a.err, "%s  %s\n", e.Time.Format("2006-01-02T15:04:05.000Z07:00"), e.Text)
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
	cancel()
	if err = errors.Join(err, <-served); err == nil && ctx.Err() == nil {
		return control.RemoveLog(req.Spec.Name) // taken down: nothing of it stays
	}
	return err
}
