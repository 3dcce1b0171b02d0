package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/history"
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

// listen keeps the subscription open. See [history.Subscription] for how it is resumed.
func (c *Cluster) listen(ctx context.Context, ready func()) {
	sub := history.NewSubscription(c.site.listenSince)
	const firstDelay, lastDelay = 50 * time.Millisecond, 5 * time.Second
	delay, broken := firstDelay, false
	for {
		err := c.resume(ctx, sub, func() {
			if broken {
				c.note("", "the engine's event stream is back: looking for what happened in between")
			}
			delay, broken = firstDelay, false
			c.box.post(supervisor.Subscribed{})
			c.wg.Go(func() { c.lookAtFaults(ctx) }) // they may have changed while the stream was down
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
func (c *Cluster) resume(ctx context.Context, sub *history.Subscription, ready func()) error {
	if sub.Begun() {
		info, err := c.eng.Info(ctx)
		if err != nil {
			return err
		}
		sub.Resume(info.Time)
	}
	return c.eng.Events(ctx, sub.ReplayFrom(), map[string]string{orchestrator.LabelCluster: c.spec.Name}, ready, func(e orchestrator.ContainerEvent) {
		if e.Action == orchestrator.HostLost || e.Action == orchestrator.HostBack {
			c.hostChanged(ctx, e)
			return
		}
		e, parked := c.site.opening(e)
		if fresh, restarted := sub.Take(e); fresh && !parked {
			c.journal.Add(history.EngineEntry(e))
			if e.Labels[orchestrator.LabelFault] != "" { // a fault was recorded or healed, by any process
				var healed []string
				if f, ok := orchestrator.FaultOf(e.Labels); ok && e.Action == "destroy" {
					healed = []string{f.ID}
				}
				c.wg.Go(func() { c.lookAtFaults(ctx, healed...) })
			}
			c.box.post(supervisor.EngineEvent{Event: e, Restarted: restarted || e.Restarted})
		}
	})
}

// hostChanged handles the loss and the return of one of several hosts.
func (c *Cluster) hostChanged(ctx context.Context, e orchestrator.ContainerEvent) {
	c.box.post(supervisor.HostChanged{Host: e.Host, Lost: e.Text})
	if e.Action == orchestrator.HostLost {
		c.note("", "host %s does not answer: %s", e.Host, e.Text)
		return
	}
	c.note("", "host %s answers again: looking for what happened in between", e.Host)
	c.wg.Go(func() {
		c.lookAtFaults(ctx)
		c.applyFaults(ctx) // its peers' rules lacked the addresses of its nodes
	})
}
