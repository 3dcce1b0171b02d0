package logs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// Node is a node's output and its source: one follow for each run.
type Node struct {
	name string
	Out  *Output
	f    *follower

	mu   sync.Mutex
	read map[int]chan struct{} // closed once that run's follow has ended
}

// NewNode returns the empty output of a node, which keeps that many lines of each stream.
func NewNode(name string, lines int) *Node {
	out := newOutput(name, lines)
	return &Node{name: name, Out: out, f: newFollower(out), read: map[int]chan struct{}{}}
}

// Begin notes that a run's follow is about to start. The caller calls end when it has
// ended.
func (o *Node) Begin(run int) (end func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	done := make(chan struct{})
	o.read[run] = done
	delete(o.read, run-2) // a postmortem needs at most the last run
	return func() { close(done) }
}

// Drained waits until a run's output has been read completely, for a limited time.
func (o *Node) Drained(ctx context.Context, run int) {
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

// ReadKept reads the output that the engine keeps of a container, once: that of the run
// that began then, and all earlier output. running says that the run goes on. The run is
// an incarnation or [Uncounted].
func (o *Node) ReadKept(ctx context.Context, eng orchestrator.Engine, id string, run int, began time.Time, running bool) error {
	return o.f.readKept(ctx, runLog{engine: eng, container: id, run: run, began: began, running: func(context.Context) bool { return running }})
}

// Follow reads a run's output, and all earlier output, until the run ends. The run is an
// incarnation or [Uncounted].
func (o *Node) Follow(ctx context.Context, eng orchestrator.Engine, id string, run int, began time.Time) {
	err := o.f.follow(ctx, runLog{
		engine: eng, container: id, run: run, began: began,
		running: func(ctx context.Context) bool {
			c, err := eng.InspectContainer(ctx, id)
			if errors.Is(err, orchestrator.ErrNotFound) {
				return false
			}
			return err != nil || c.State.Running
		},
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, orchestrator.ErrNotFound) {
		o.Out.Mark(run, time.Now(), fmt.Sprintf("── the output of %s cannot be read: %v ──", o.name, err))
	}
}
