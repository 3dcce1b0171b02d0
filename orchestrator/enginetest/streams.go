package enginetest

import (
	"context"
	"errors"
	"io"
	"maps"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// errBroken is the error of a stream that [Engine.BreakStreams] broke.
var errBroken = errors.New("connection reset by peer")

// stream is one subscription to events. The engine's lock guards it.
type stream struct {
	labels map[string]string
	queue  []orchestrator.ContainerEvent
	more   chan struct{} // holds a token while the queue may be non-empty
}

func (s *stream) offer(ev orchestrator.ContainerEvent) {
	if !carries(ev.Labels, s.labels) {
		return
	}
	s.queue = append(s.queue, ev)
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func signal(number string) func(*orchestrator.ContainerEvent) {
	return func(ev *orchestrator.ContainerEvent) { ev.Signal = number }
}

// emit sends an event to all subscriptions. The caller holds the lock.
func (e *Engine) emit(c *container, action string, edit ...func(*orchestrator.ContainerEvent)) {
	ev := orchestrator.ContainerEvent{ID: c.id, Name: c.spec.Name, Action: action, Time: e.now(), Labels: maps.Clone(c.spec.Labels)}
	for _, f := range edit {
		f(&ev)
	}
	if e.drop > 0 {
		e.drop--
		return
	}
	e.disorder(&ev)
	e.ring = append(e.ring, ev)
	if len(e.ring) > ringSize {
		e.ring = e.ring[1:]
	}
	for s := range e.streams {
		s.offer(ev)
	}
}

// disorder gives an event too early a time, as [Engine].Disorder describes. The events of
// one container keep their order. The caller holds the lock.
func (e *Engine) disorder(ev *orchestrator.ContainerEvent) {
	e.early = e.Disorder > 0 && !e.early && len(e.ring) > 0 && e.ring[len(e.ring)-1].ID != ev.ID
	if !e.early {
		return
	}
	stamp := ev.Time.Add(-e.Disorder)
	if stamp.Before(e.asked) {
		stamp = e.asked
	}
	for _, kept := range e.ring {
		if kept.ID == ev.ID && !stamp.After(kept.Time) {
			stamp = kept.Time.Add(time.Nanosecond)
		}
	}
	ev.Time = stamp
}

// Events implements orchestrator.Streams.
func (e *Engine) Events(ctx context.Context, since time.Time, labels map[string]string, ready func(), fn func(orchestrator.ContainerEvent)) error {
	if err := e.fails("Events"); err != nil {
		return err
	}
	s := &stream{labels: labels, more: make(chan struct{}, 1)}
	e.mu.Lock()
	if !since.IsZero() {
		// From the last older event on, as engines do: earlier ones are not examined, see
		// Disorder.
		first := len(e.ring)
		for first > 0 && !e.ring[first-1].Time.Before(since) {
			first--
		}
		for _, ev := range e.ring[first:] {
			s.offer(ev)
		}
	}
	e.streams[s] = true
	broken := e.broken
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.streams, s)
		e.mu.Unlock()
	}()
	ready()
	for {
		select {
		case <-s.more:
			e.mu.Lock()
			queue := s.queue
			s.queue = nil
			e.mu.Unlock()
			for _, ev := range queue {
				fn(ev)
			}
		case <-broken:
			return errBroken
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Logs implements orchestrator.Streams.
func (e *Engine) Logs(ctx context.Context, id string, since time.Time, follow bool) (orchestrator.LogReader, error) {
	if err := e.fails("Logs"); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	return &logReader{ctx: ctx, cancel: cancel, e: e, c: c, since: since, follow: follow, run: c.runs, broken: e.broken}, nil
}

// logReader reads a container's log.
type logReader struct {
	ctx    context.Context
	cancel context.CancelFunc
	e      *Engine
	c      *container
	since  time.Time // zero after a record passed it: the filter then no longer applies
	follow bool
	run    int
	broken <-chan struct{}
	next   int
}

func (r *logReader) Close() error {
	r.cancel()
	return nil
}

// Next implements orchestrator.LogReader.
func (r *logReader) Next() (orchestrator.LogPart, error) {
	for {
		part, more, err := r.take()
		if err != nil || more == nil {
			return part, err
		}
		select {
		case <-more:
		case <-r.broken:
			return orchestrator.LogPart{}, errBroken
		case <-r.ctx.Done():
			return orchestrator.LogPart{}, r.ctx.Err()
		}
	}
}

// take returns the next record. If there is none yet, more is the channel to wait for.
func (r *logReader) take() (part orchestrator.LogPart, more <-chan struct{}, err error) {
	select {
	case <-r.broken:
		return part, nil, errBroken
	default:
	}
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	for r.next < len(r.c.log) {
		rec := r.c.log[r.next]
		r.next++
		if rec.at.Before(r.since) {
			continue
		}
		r.since = time.Time{}
		stream := orchestrator.Stdout
		if rec.stream == 2 {
			stream = orchestrator.Stderr
		}
		return orchestrator.LogPart{Stream: stream, Time: rec.at, Text: rec.text}, nil, nil
	}
	if !r.follow || !r.c.state.Running || r.c.runs != r.run {
		return part, nil, io.EOF
	}
	return part, r.c.more, nil
}
