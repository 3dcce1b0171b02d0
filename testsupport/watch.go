package testsupport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
)

// sight is what one node sees of the others: it tells each nodeup and nodedown in
// the moment in which it sees it.
type sight struct {
	node *Node
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	up      map[string]bool // whom it sees, by BEAM name
	ups     map[string]int  // how often each came, or went, since the sight began
	downs   map[string]int
	err     error         // why it ended
	changed chan struct{} // closed and replaced with each news
}

// look begins a sight. What comes or goes after look has returned is told.
func (n *Node) look(ctx context.Context) (*sight, error) {
	conn, err := n.dial(ctx)
	if err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &sight{
		node: n, stop: stop, done: make(chan struct{}),
		up: map[string]bool{}, ups: map[string]int{}, downs: map[string]int{}, changed: make(chan struct{}),
	}
	ready := make(chan struct{})
	go func() {
		defer close(s.done)
		err := conn.WatchNodes(watching, func() { close(ready) }, s.saw)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.err = err
		s.news()
	}()
	select {
	case <-ready:
		return s, nil
	case <-s.done:
		stop()
		return nil, s.err
	case <-ctx.Done():
		s.close()
		return nil, fmt.Errorf("ask %s whom it sees: %w", n, context.Cause(ctx))
	}
}

func (s *sight) saw(e erldist.NodeEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up[e.Node] = e.Up
	switch {
	case e.Initial:
	case e.Up:
		s.ups[e.Node]++
	default:
		s.downs[e.Node]++
	}
	s.news()
}

func (s *sight) news() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// until waits for what the sight shows. An end of the sight is an error: the node
// that looked is gone.
func (s *sight) until(ctx context.Context, shown func(*sight) bool) error {
	for {
		s.mu.Lock()
		seen, changed, err := shown(s), s.changed, s.err
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

func (s *sight) close() {
	s.stop()
	<-s.done
}

// sights of several nodes.
type sights []*sight

// looking begins the sights of those nodes that run and answer, but for the one
// that something is to happen to.
func (c *Cluster) looking(ctx context.Context, but string) (sights, error) {
	var all sights
	for _, n := range c.Nodes() {
		if n.name == but || !n.answers() {
			continue
		}
		s, err := n.look(ctx)
		if errors.Is(err, orchestrator.ErrNotRunning) || errors.Is(err, erldist.ErrClosed) && !n.answers() {
			continue // it went meanwhile
		}
		if err != nil {
			all.close()
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (all sights) close() {
	for _, s := range all {
		s.close()
	}
}

// seeing are those that see a node now.
func (all sights) seeing(beam string) sights {
	return slices.DeleteFunc(slices.Clone(all), func(s *sight) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.up[beam]
	})
}

// until waits for what each shows; the error says who has not.
func (all sights) until(ctx context.Context, what string, shown func(*sight) bool) error {
	for _, s := range all {
		if err := s.until(ctx, shown); err != nil {
			return fmt.Errorf("%s %s: %w", s.node.name, what, err)
		}
	}
	return nil
}

// answers tells whether the node's VM can be asked: it runs, and is not paused.
func (n *Node) answers() bool {
	st := n.Status()
	return st.State == orchestrator.Ready || st.State == orchestrator.Degraded && !st.Paused
}
