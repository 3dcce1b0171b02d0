package history

import (
	"context"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// keptEvents is how many events an eventLog holds.
const keptEvents = 1000

// Events numbers and keeps events. Readers pull: one that is slow or never reads blocks
// no other goroutine, and sees a gap in the numbers.
type Events struct {
	mu     sync.Mutex
	kept   []orchestrator.Event
	next   uint64
	more   chan struct{} // closed and replaced with each event
	closed bool
}

// NewEvents returns an empty log.
func NewEvents() *Events { return &Events{next: 1, more: make(chan struct{})} }

// Add numbers an event, stamps it with the time, and keeps it.
func (l *Events) Add(e orchestrator.Event, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Seq, e.Time = l.next, now
	l.next++
	if len(l.kept) >= 2*keptEvents { // move rarely, not for each event
		l.kept = append(l.kept[:0], l.kept[len(l.kept)-keptEvents:]...)
	}
	l.kept = append(l.kept, e)
	if !l.closed {
		close(l.more)
		l.more = make(chan struct{})
	}
}

// Close ends each follower once it has read the remaining events.
func (l *Events) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.more)
	}
}

func (l *Events) since(after uint64) (events []orchestrator.Event, more <-chan struct{}, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.kept[max(0, len(l.kept)-keptEvents):]
	for i, e := range kept {
		if e.Seq > after {
			events = append(events, kept[i:]...)
			break
		}
	}
	return events, l.more, l.closed
}

// Read implements [orchestrator.Controller].Events.
func (l *Events) Read(ctx context.Context, after uint64, follow bool, fn func(orchestrator.Event) error) error {
	for {
		events, more, closed := l.since(after)
		for _, e := range events {
			if err := fn(e); err != nil {
				return err
			}
			after = e.Seq
		}
		if !follow || (closed && len(events) == 0) {
			return nil
		}
		if len(events) > 0 {
			continue
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil
		}
	}
}
