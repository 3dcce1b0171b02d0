package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// This file receives the engine's events about the cluster's containers.

// subscribe opens the one event subscription of the cluster and waits until the engine
// has accepted it: later changes are reported.
func (c *Cluster) subscribe(ctx, work context.Context) error {
	ready := make(chan struct{})
	var once sync.Once
	c.wg.Go(func() { c.listen(work, func() { once.Do(func() { close(ready) }) }) })
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Second):
		return fmt.Errorf("subscribe to events: %w", orchestrator.ErrEngineUnreachable)
	}
}

// listen keeps the subscription open. See [subscription] for how it is resumed.
func (c *Cluster) listen(ctx context.Context, ready func()) {
	sub := newSubscription(c.site.listenSince)
	const firstDelay, lastDelay = 50 * time.Millisecond, 5 * time.Second
	delay, broken := firstDelay, false
	for {
		err := c.resume(ctx, sub, func() {
			if broken {
				c.note("", "the engine's event stream is back: looking for what happened in between")
			}
			delay, broken = firstDelay, false
			c.box.post(supervisor.Subscribed{})
			ready()
		})
		if ctx.Err() != nil {
			return
		}
		if !broken { // once for as long as it lasts
			c.note("", "the engine's event stream broke (%v); reconnecting", err)
			c.box.post(supervisor.Unsubscribed{})
		}
		broken = true
		if !wait.Sleep(ctx, delay) {
			return
		}
		delay = min(2*delay, lastDelay)
	}
}

// resume reads one event stream until it breaks.
func (c *Cluster) resume(ctx context.Context, sub *subscription, ready func()) error {
	if len(sub.delivered) > 0 {
		info, err := c.eng.Info(ctx)
		if err != nil {
			return err
		}
		sub.resume(info.Time)
	}
	return c.eng.Events(ctx, sub.since.Add(-replayOverlap), map[string]string{orchestrator.LabelCluster: c.spec.Name}, ready, func(e orchestrator.ContainerEvent) {
		if fresh, restarted := sub.take(e); fresh {
			c.journal.add(EngineEntry(e))
			c.box.post(supervisor.EngineEvent{Event: e, Restarted: restarted})
		}
	})
}

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

// subscription records what was delivered across the breaks of an event stream. The
// stream is resumed from [replayOverlap] before the last event, and drops the events it
// has seen.
type subscription struct {
	from      time.Time         // earlier events are ignored: they belong to another cluster of this name
	since     time.Time         // the time of the last event
	delivered map[eventKey]bool // the events since replayOverlap before that
	broke     time.Time         // the time of the last event when the stream was resumed
	resumed   time.Time         // the engine's time then; zero before
	remembers bool              // since then the engine has repeated events that it reported before
}

func newSubscription(from time.Time) *subscription {
	return &subscription{from: from, since: from, delivered: map[eventKey]bool{}}
}

// resume notes that the stream is opened again, at a time of the engine's clock.
func (s *subscription) resume(now time.Time) {
	s.broke, s.resumed, s.remembers = s.since, now, false
}

// take reports whether an event is fresh, and whether it comes from the start of an
// engine that was restarted. Such an engine reports events from between the break and the
// resumption, and has forgotten the last event before the break, which it would have
// repeated first. (An engine with more than 256 events in the gap looks the same.)
func (s *subscription) take(e orchestrator.ContainerEvent) (fresh, restarted bool) {
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
