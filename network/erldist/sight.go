package erldist

import (
	"context"
	"fmt"
	"maps"
	"sync"
)

// Sight is whom a node sees: the nodes that it is connected to, kept up to date by
// what it tells itself, in the moment that it sees it. Its methods may be called from
// several goroutines. End it with [Sight.Close].
type Sight struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	seen    Seen
	err     error         // why it ended
	changed chan struct{} // closed and replaced with each news
}

// Seen is what a sight shows, by the nodes' full names.
type Seen struct {
	Up    map[string]bool // whom the node sees now; false: whom it saw
	Ups   map[string]int  // how often each came since the sight began
	Downs map[string]int  // how often each went
}

// Look begins a sight of the node's connections. Whatever comes or goes after it has
// returned is told: look first, and do then what is to be seen. ctx bounds the
// beginning only. Errors are those of [Conn.MonitorNodes].
func (c *Conn) Look(ctx context.Context) (*Sight, error) {
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

func newSight(cancel context.CancelFunc) *Sight {
	return &Sight{
		cancel: cancel, done: make(chan struct{}), changed: make(chan struct{}),
		seen: Seen{Up: map[string]bool{}, Ups: map[string]int{}, Downs: map[string]int{}},
	}
}

func (s *Sight) saw(e NodeEvent) {
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

func (s *Sight) ended(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	s.news()
}

func (s *Sight) news() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Now is what it shows now.
func (s *Sight) Now() Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Seen{Up: maps.Clone(s.seen.Up), Ups: maps.Clone(s.seen.Ups), Downs: maps.Clone(s.seen.Downs)}
}

// Err is nil while the sight lasts. Then it says why it ended: the connection to the
// node did, or [Sight.Close] was called.
func (s *Sight) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Until returns once the sight shows what is wanted, which shown is asked of now and
// after each news; it must not keep what it is given. Where the sight ends, or ctx
// does, before that, it returns why.
func (s *Sight) Until(ctx context.Context, shown func(Seen) bool) error {
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

// Close ends the sight and waits for its goroutine. The connection stays.
func (s *Sight) Close() {
	s.cancel()
	<-s.done
}
