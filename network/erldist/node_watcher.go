package erldist

import (
	"context"
	"fmt"
	"maps"
	"sync"
)

// NodeWatcher is a continuously updated view of the nodes that a node is connected to. The node
// reports each change as it happens. Methods of a NodeWatcher are safe for concurrent use.
// Release it with [NodeWatcher.Close].
type NodeWatcher struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	seen    Seen
	err     error         // why it ended
	changed chan struct{} // closed and replaced with each change
}

// Seen is the state of a NodeWatcher. Its keys are the nodes' full names.
type Seen struct {
	Up    map[string]bool // true: connected now; false: connected earlier
	Ups   map[string]int  // number of nodeups since the NodeWatcher began
	Downs map[string]int  // number of nodedowns
}

// Watch starts watching the node's connections. Changes after Watch returns are reported;
// call it before causing the change. ctx bounds only the start. Errors are those of
// [Conn.MonitorNodes].
func (c *Conn) Watch(ctx context.Context) (*NodeWatcher, error) {
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := newSight(cancel)
	ready := make(chan struct{})
	go func() {
		defer close(s.done)
		s.ended(c.WatchNodes(watching, func() { close(ready) }, s.saw))
	}()
	select {
	case <-ready:
		return s, nil
	case <-s.done:
		cancel()
		return nil, s.err
	case <-ctx.Done():
		s.Close()
		return nil, fmt.Errorf("ask %s for its connections: %w", c.id.peer, context.Cause(ctx))
	}
}

func newSight(cancel context.CancelFunc) *NodeWatcher {
	return &NodeWatcher{
		cancel: cancel, done: make(chan struct{}), changed: make(chan struct{}),
		seen: Seen{Up: map[string]bool{}, Ups: map[string]int{}, Downs: map[string]int{}},
	}
}

func (s *NodeWatcher) saw(e NodeEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.Up[e.Node] = e.Up
	switch {
	case e.Initial:
	case e.Up:
		s.seen.Ups[e.Node]++
	default:
		s.seen.Downs[e.Node]++
	}
	s.news()
}

func (s *NodeWatcher) ended(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	s.news()
}

func (s *NodeWatcher) news() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Now returns the current state.
func (s *NodeWatcher) Now() Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Seen{Up: maps.Clone(s.seen.Up), Ups: maps.Clone(s.seen.Ups), Downs: maps.Clone(s.seen.Downs)}
}

// Err returns nil while the NodeWatcher is active. Afterwards it returns why it ended: the
// connection to the node ended, or [NodeWatcher.Close] was called.
func (s *NodeWatcher) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Until returns nil once shown returns true. It calls shown with the current state and
// after each change; shown must not keep its argument. If the NodeWatcher or ctx ends first,
// Until returns the reason.
func (s *NodeWatcher) Until(ctx context.Context, shown func(Seen) bool) error {
	for {
		s.mu.Lock()
		seen, changed, err := shown(s.seen), s.changed, s.err
		s.mu.Unlock()
		switch {
		case seen:
			return nil
		case err != nil:
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Close ends the NodeWatcher and waits for its goroutine. The connection stays open.
func (s *NodeWatcher) Close() {
	s.cancel()
	<-s.done
}
