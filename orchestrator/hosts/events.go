package hosts

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/history"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// beatEvery is how often a host is asked while its stream is quiet.
const beatEvery = 5 * time.Second

// The pauses between two attempts to reach a host.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// Events implements orchestrator.Streams. It merges the streams of all hosts, and ends with ctx
// alone. A host whose stream breaks is reported as [orchestrator.HostLost], and as
// [orchestrator.HostBack] once its stream is open again, which delivers what happened meanwhile.
// ready is called when each host has accepted, or did not answer within Options.Patience; such a
// host is reported as lost after that.
func (e *Engine) Events(ctx context.Context, since time.Time, labels map[string]string, ready func(), fn func(orchestrator.ContainerEvent)) error {
	m := &merged{e: e, labels: labels, since: since, ready: ready, fn: fn, waiting: len(e.hosts)}
	var group sync.WaitGroup
	for _, h := range e.hosts {
		s := &hostStream{merged: m, h: h, pause: firstPause}
		group.Go(func() { s.listen(ctx) })
		group.Go(func() {
			if wait.Sleep(ctx, e.opts.Patience) {
				s.broke(fmt.Errorf("no answer within %s: %w", e.opts.Patience, orchestrator.ErrEngineUnreachable), true)
			}
		})
	}
	group.Wait()
	return ctx.Err()
}

// merged is one subscription to all hosts.
type merged struct {
	e      *Engine
	labels map[string]string
	since  time.Time // by our clock

	mu      sync.Mutex // held while a function of the caller runs
	ready   func()
	fn      func(orchestrator.ContainerEvent)
	waiting int                           // hosts that have neither accepted nor failed
	early   []orchestrator.ContainerEvent // what was reported before ready
}

// settled notes that a host has accepted for the first time, or failed to.
func (m *merged) settled() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting--; m.waiting > 0 {
		return
	}
	m.ready()
	for _, ev := range m.early {
		m.fn(ev)
	}
	m.early = nil
}

// deliver passes an event to the caller, in order and after ready.
func (m *merged) deliver(ev orchestrator.ContainerEvent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting > 0 {
		m.early = append(m.early, ev)
		return
	}
	m.fn(ev)
}

// hostStream is the stream of one host, over its breaks.
type hostStream struct {
	*merged
	h     *host
	sub   *history.Subscription // nil before the first answer
	pause time.Duration

	mu      sync.Mutex
	settled bool // the host has accepted, or failed to
	lost    bool // it was reported as lost
}

// listen keeps the stream open.
func (s *hostStream) listen(ctx context.Context) {
	for {
		err := s.read(ctx)
		if ctx.Err() != nil {
			return
		}
		s.broke(err, false)
		if !wait.Sleep(ctx, s.pause) {
			return
		}
		s.pause = min(2*s.pause, lastPause)
	}
}

// read reads the stream until it breaks, or until the host does not answer in between.
func (s *hostStream) read(ctx context.Context) error {
	reading, stop := context.WithCancelCause(ctx)
	var beat sync.WaitGroup
	beat.Go(func() { stop(s.beat(reading)) })
	err := s.readEvents(reading)
	if cause := context.Cause(reading); cause != nil && ctx.Err() == nil {
		err = cause
	}
	stop(nil)
	beat.Wait()
	return err
}

// beat asks the host now and then, and returns when it does not answer. A machine that lost its
// power does not close its connections: they would break after minutes.
func (s *hostStream) beat(ctx context.Context) error {
	for wait.Sleep(ctx, beatEvery) {
		asking, cancel := context.WithTimeout(ctx, s.e.opts.Patience)
		_, err := s.h.Info(asking)
		cancel()
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("%w: %w", orchestrator.ErrEngineUnreachable, err)
		}
	}
	return ctx.Err()
}

func (s *hostStream) readEvents(ctx context.Context) error {
	ahead, err := s.h.offset(ctx)
	if err != nil {
		return err
	}
	from := theirs(s.since, ahead)
	if s.sub == nil {
		s.sub = history.NewSubscription(from)
		if from.IsZero() {
			s.sub = history.NewSubscription(theirs(time.Now(), ahead).Add(-replayed))
		}
	} else {
		info, err := s.h.Info(ctx)
		if err != nil {
			return err
		}
		s.sub.Resume(info.Time)
		from = s.sub.ReplayFrom()
	}
	return s.h.Events(ctx, from, s.labels, s.accepted, func(ev orchestrator.ContainerEvent) {
		fresh, restarted := s.sub.Take(ev)
		if !fresh {
			return
		}
		if ev.Action == "destroy" {
			s.e.index.forget(ev.ID)
		} else {
			s.e.index.learn(ev.ID, s.h)
		}
		ev.Time, ev.Host, ev.Restarted = ours(ev.Time, ahead), s.h.name, restarted
		s.deliver(ev)
	})
}

// replayed is how much earlier than its start a new stream counts events: the hosts' clocks are
// known to within a few milliseconds only.
const replayed = time.Second

// accepted notes that the host has accepted the subscription.
func (s *hostStream) accepted() {
	s.mu.Lock()
	first, back := !s.settled, s.lost
	s.settled, s.lost = true, false
	s.mu.Unlock()
	s.pause = firstPause
	switch {
	case first:
		s.merged.settled()
	case back:
		s.deliver(orchestrator.ContainerEvent{Action: orchestrator.HostBack, Host: s.h.name, Time: time.Now()})
	}
}

// broke notes that the stream broke, or that the first one is overdue.
func (s *hostStream) broke(err error, overdue bool) {
	s.mu.Lock()
	first, known := !s.settled, s.lost
	if overdue && s.settled {
		s.mu.Unlock()
		return
	}
	s.settled, s.lost = true, true
	s.mu.Unlock()
	if !known {
		if !errors.Is(err, orchestrator.ErrEngineUnreachable) {
			err = fmt.Errorf("its event stream broke: %w", err)
		}
		s.deliver(orchestrator.ContainerEvent{Action: orchestrator.HostLost, Host: s.h.name, Time: time.Now(), Text: err.Error()})
	}
	if first {
		s.merged.settled()
	}
}
