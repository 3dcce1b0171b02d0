package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/logs"
)

// forwardEvents logs every event, until the event log is closed. It does not run on the
// loop: a handler that blocks would hold up the supervisor.
func (c *Cluster) forwardEvents(ctx context.Context) {
	_ = c.events.Read(ctx, 0, true, func(e orchestrator.Event) error {
		c.opts.Logger.Debug(e.String(), slog.String("cluster", c.spec.Name), slog.String("kind", string(e.Kind)))
		return nil
	})
}

// forwarded waits until everything has been logged, but only for a limited time: Run does
// not wait for a handler that blocks.
func (c *Cluster) forwarded() {
	const patience = 2 * time.Second
	done := make(chan struct{})
	go func() {
		c.forwarders.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(patience):
	}
}

// forward logs every line from now on, until the output is closed: a slow logger sees a
// gap and holds up no other goroutine.
func (c *Cluster) forward(ctx context.Context, o *logs.Node) {
	_ = o.Out.Read(ctx, orchestrator.LogQuery{Follow: true}, func(l orchestrator.Line) error {
		c.opts.Logger.Log(ctx, c.opts.OutputLevel, fmt.Sprintf("[%s:%s] %s", l.Node, l.Stream, l.Text))
		return nil
	})
}
