package history

import (
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

type eventKey struct {
	id, action string
	at         int64
}

// replayOverlap is how much earlier than the last event a stream is resumed. An engine
// takes the timestamps of events before the lock under which it stores them, so with
// several containers at once the stored order differs from that of the timestamps. A
// replay goes backwards through the stored events and stops at the first event older than
// the requested time (loadBufferedEvents in moby's daemon/events, 20.10 to 29). A replay
// since an event's own time can therefore omit that event, and others near it. The
// timestamps differ by the time that an engine under load waits for a lock.
const replayOverlap = time.Second

// Subscription records what was delivered across the breaks of an event stream. The
// stream is resumed from [replayOverlap] before the last event, and drops the events it
// has seen.
type Subscription struct {
	from      time.Time         // earlier events are ignored: they belong to another cluster of this name
	since     time.Time         // the time of the last event
	delivered map[eventKey]bool // the events since replayOverlap before that
	broke     time.Time         // the time of the last event when the stream was resumed
	resumed   time.Time         // the engine's time then; zero before
	remembers bool              // since then the engine has repeated events that it reported before
}

// NewSubscription returns a subscription whose events count from that time on.
func NewSubscription(from time.Time) *Subscription {
	return &Subscription{from: from, since: from, delivered: map[eventKey]bool{}}
}

// Resume notes that the stream is opened again, at a time of the engine's clock.
func (s *Subscription) Resume(now time.Time) {
	s.broke, s.resumed, s.remembers = s.since, now, false
}

// Begun reports whether an event was delivered.
func (s *Subscription) Begun() bool { return len(s.delivered) > 0 }

// ReplayFrom returns the time to resume the stream from.
func (s *Subscription) ReplayFrom() time.Time { return s.since.Add(-replayOverlap) }

// Take reports whether an event is fresh, and whether it comes from the start of an
// engine that was restarted. Such an engine reports events from between the break and the
// resumption, and has forgotten the last event before the break, which it would have
// repeated first. (An engine with more than 256 events in the gap looks the same.)
func (s *Subscription) Take(e orchestrator.ContainerEvent) (fresh, restarted bool) {
	k := eventKey{e.ID, e.Action, e.Time.UnixNano()}
	switch {
	case s.delivered[k]:
		s.remembers = true
		return false, false
	case e.Time.Before(s.from) && !e.Time.Before(s.from.Add(-replayOverlap)): // only a clock that was set back reports earlier ones
		return false, false
	}
	restarted = !s.remembers && e.Time.After(s.broke) && e.Time.Before(s.resumed)
	if e.Time.After(s.since) {
		s.since = e.Time
		for old := range s.delivered {
			if old.at < s.since.Add(-replayOverlap).UnixNano() {
				delete(s.delivered, old)
			}
		}
	}
	s.delivered[k] = true
	return true, restarted
}
