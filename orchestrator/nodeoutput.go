package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// nodeOutput is a node's output and its source: one follow for each run.
type nodeOutput struct {
	name string
	out  *Output
	f    *follower

	mu   sync.Mutex
	read map[int]chan struct{} // closed once that run's follow has ended
}

func newNodeOutput(name string, lines int) *nodeOutput {
	out := newOutput(name, lines)
	return &nodeOutput{name: name, out: out, f: newFollower(out), read: map[int]chan struct{}{}}
}

// begin notes that a run's follow is about to start. The caller calls end when it has
// ended.
func (o *nodeOutput) begin(run int) (end func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	done := make(chan struct{})
	o.read[run] = done
	delete(o.read, run-2) // an autopsy needs at most the last run
	return func() { close(done) }
}

// drained waits until a run's output has been read completely, for a limited time.
func (o *nodeOutput) drained(ctx context.Context, run int) {
	o.mu.Lock()
	done := o.read[run]
	o.mu.Unlock()
	if done == nil {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(drainTime):
	}
}

// follow reads a run's output until the run ends.
func (o *nodeOutput) follow(ctx context.Context, eng Engine, id string, run int, began time.Time) {
	err := o.f.follow(ctx, runLog{
		engine: eng, container: id, run: run, began: began,
		running: func(ctx context.Context) bool {
			c, err := eng.InspectContainer(ctx, id)
			if errors.Is(err, ErrNotFound) {
				return false
			}
			return err != nil || c.State.Running
		},
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrNotFound) {
		o.out.Mark(run, time.Now(), fmt.Sprintf("── the output of %s cannot be read: %v ──", o.name, err))
	}
}

// forwardEvents logs every event, until the event log is closed. It does not run on the
// loop: a handler that blocks would hold up the supervisor.
func (c *Cluster) forwardEvents(ctx context.Context) {
	_ = c.events.read(ctx, 0, true, func(e Event) error {
		c.opts.Logger.Debug(e.Text, slog.String("cluster", c.spec.Name), slog.String("kind", string(e.Kind)))
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
func (c *Cluster) forward(ctx context.Context, o *nodeOutput) {
	_ = o.out.Read(ctx, LogQuery{Follow: true}, func(l Line) error {
		c.opts.Logger.Log(ctx, c.opts.OutputLevel, fmt.Sprintf("[%s:%s] %s", l.Node, l.Stream, l.Text))
		return nil
	})
}
