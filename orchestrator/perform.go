package orchestrator

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

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
// time, which the engine includes again, so what was delivered is dropped here.
func (c *Cluster) listen(ctx context.Context, ready func()) {
	type key struct {
		id, action string
		at         int64
	}
	since := c.site.listenSince
	delivered := map[key]bool{}
	delay := 50 * time.Millisecond
	broken := false
	for {
		err := c.eng.Events(ctx, since, map[string]string{LabelCluster: c.spec.Name}, func() {
			if broken {
				c.note("", "the engine's event stream is back: looking for what happened meanwhile")
			}
			broken, delay = false, 50*time.Millisecond
			c.box.post(msgSubscribed{})
			ready()
		}, func(e ContainerEvent) {
			k := key{e.ID, e.Action, e.Time.UnixNano()}
			if delivered[k] {
				return
			}
			if e.Time.After(since) {
				since = e.Time
				for old := range delivered {
					if old.at < since.Add(-time.Second).UnixNano() {
						delete(delivered, old)
					}
				}
			}
			delivered[k] = true
			c.box.post(msgEvent{e})
		})
		if ctx.Err() != nil {
			return
		}
		if !broken { // once for as long as it lasts
			c.note("", "the engine's event stream broke (%v); reconnecting", err)
			c.box.post(msgUnsubscribed{})
		}
		broken = true
		select {
		case <-ctx.Done():
			return
		case <-time.After(delay):
		}
		delay = min(2*delay, 5*time.Second)
	}
}

// perform does what the supervisor wants. Whatever takes time runs in a
// goroutine of its own and posts its outcome; done means the cluster is over.
func (c *Cluster) perform(ctx context.Context, actions []action) (err error, done bool) {
	for _, a := range actions {
		switch a := a.(type) {
		case actLaunch:
			c.wg.Go(func() { c.launch(ctx, a.report) })
		case actStart:
			id := c.sup.byName[a.node].id
			c.wg.Go(func() {
				c.box.post(msgStarted{a.report, c.starting(ctx, func() error { return c.startAgain(ctx, a.node, id) })})
			})
		case actStop:
			id := c.sup.byName[a.node].id
			c.wg.Go(func() {
				c.box.post(msgStopped{a.report, patiently(ctx, func() error { return c.eng.StopContainer(ctx, id, a.grace) })})
			})
		case actKill:
			id := c.sup.byName[a.node].id
			c.wg.Go(func() { c.box.post(msgKilled{a.report, a.waiter, c.eng.KillContainer(ctx, id, a.signal)}) })
		case actFollow:
			id := c.sup.byName[a.node].id
			out := c.outputs[a.node]
			end := out.begin(a.inc)
			c.wg.Go(func() {
				defer end()
				out.follow(ctx, c.eng, id, a.inc, a.began)
			})
		case actProbe:
			probing, cancel := context.WithCancel(ctx)
			c.probes[a.node] = cancel
			c.wg.Go(func() { c.probe(probing, a.report) })
		case actForget:
			if cancel := c.probes[a.node]; cancel != nil {
				cancel()
				delete(c.probes, a.node)
			}
		case actInspect:
			id := c.sup.byName[a.node].id
			c.wg.Go(func() { c.inspect(ctx, a.report, id) })
		case actAutopsy:
			id := c.sup.byName[a.node].id
			c.wg.Go(func() { c.autopsy(ctx, a.report, id, a.code) })
		case actConnect:
			c.wg.Go(func() { c.connectPeers(ctx, a) })
		case actSweep:
			c.wg.Go(func() { c.sweepMesh(ctx) })
		case actList:
			c.wg.Go(func() { c.compare(ctx, a.runs) })
		case actRemove:
			c.wg.Go(func() { c.box.post(msgRemoved{patiently(ctx, func() error { return c.removeAll(ctx) })}) })
		case actReply:
			c.publish(time.Now()) // who is answered sees what the answer is about
			c.reply(a.waiter, a.err)
		case actEmit:
			a.event.Text = c.clean(a.event.Text)
			c.log(c.events.add(a.event, time.Now()))
		case actMark:
			c.outputs[a.node].out.Mark(a.inc, time.Now(), a.text)
		case actDone:
			return c.excerpts(a.err), true
		}
	}
	return nil, false
}

func (c *Cluster) log(e Event) {
	if c.opts.Logger != nil {
		c.opts.Logger.Debug(e.Text, slog.String("cluster", c.spec.Name), slog.String("kind", string(e.Kind)))
	}
}
