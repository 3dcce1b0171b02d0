package orchestrator

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// This file hears what the engine tells of the cluster's containers.

// subscribe opens the one event subscription of the cluster and waits until
// the engine has accepted it: whatever is created from now on is heard.
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
		return fmt.Errorf("subscribe to events: %w", ErrEngineUnreachable)
	}
}

// listen keeps the subscription open. It resumes from the last event's own
// time, which the engine includes again.
func (c *Cluster) listen(ctx context.Context, ready func()) {
	sub := subscription{since: c.site.listenSince, delivered: map[eventKey]bool{}}
	const firstDelay, lastDelay = 50 * time.Millisecond, 5 * time.Second
	delay, broken := firstDelay, false
	for {
		err := c.resume(ctx, &sub, func() {
			if broken {
				c.note("", "the engine's event stream is back: looking for what happened meanwhile")
			}
			delay, broken = firstDelay, false
			c.box.post(msgSubscribed{})
			ready()
		})
		if ctx.Err() != nil {
			return
		}
		if !broken { // once for as long as it lasts
			c.note("", "the engine's event stream broke (%v); reconnecting", err)
			c.box.post(msgUnsubscribed{})
		}
		broken = true
		if !pause(ctx, delay) {
			return
		}
		delay = min(2*delay, lastDelay)
	}
}

// resume reads one event stream to its break.
func (c *Cluster) resume(ctx context.Context, sub *subscription, ready func()) error {
	if len(sub.delivered) > 0 {
		info, err := c.eng.Info(ctx)
		if err != nil {
			return err
		}
		sub.resumed, sub.remembers = info.Time, false
	}
	return c.eng.Events(ctx, sub.since, map[string]string{LabelCluster: c.spec.Name}, ready, func(e ContainerEvent) {
		if fresh, restarted := sub.take(e); fresh {
			c.journal.add(EngineEntry(e))
			c.box.post(msgEvent{e, restarted})
		}
	})
}

type eventKey struct {
	id, action string
	at         int64
}

// subscription is what was delivered over the breaks of an event stream.
type subscription struct {
	since     time.Time         // the last event's
	delivered map[eventKey]bool // those of the last second before that
	resumed   time.Time         // the engine's time when the stream was resumed; zero before
	remembers bool              // it has told since then what it told before
}

// take tells whether an event is fresh, and whether it is from the start of an
// engine that was restarted: one that tells of the time before the stream was
// resumed, and has forgotten the last event before the break, which it would
// have told first. (So has one with more than 256 events in the gap.)
func (s *subscription) take(e ContainerEvent) (fresh, restarted bool) {
	k := eventKey{e.ID, e.Action, e.Time.UnixNano()}
	if s.delivered[k] {
		s.remembers = true
		return false, false
	}
	restarted = !s.remembers && e.Time.Before(s.resumed)
	if e.Time.After(s.since) {
		s.since = e.Time
		for old := range s.delivered {
			if old.at < s.since.Add(-time.Second).UnixNano() {
				delete(s.delivered, old)
			}
		}
	}
	s.delivered[k] = true
	return true, restarted
}
