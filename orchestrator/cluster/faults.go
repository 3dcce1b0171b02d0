package cluster

import (
	"context"

	"github.com/beamyard/beamyard/orchestrator/faults"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

// This file is what a cluster knows of network faults. Any process injects and heals them through
// the engine, see package faults; the engine's events tell.

func (c *Cluster) injector() faults.Injector { return faults.Injector{Engine: c.eng, Spec: c.spec} }

// lookAtFaults tells the supervisor which faults are in force.
func (c *Cluster) lookAtFaults(ctx context.Context) {
	c.faultsMu.Lock() // an older list must not follow a newer one
	defer c.faultsMu.Unlock()
	all, err := c.injector().List(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.note("", "cannot list the faults in force: %v", err)
		}
		return
	}
	c.faulty.Store(len(all) > 0)
	c.box.post(supervisor.FaultsInForce{Faults: all})
}

// applyFaults gives a run that has just begun the rules of the faults in force. Until then the
// rules of its peers hold.
func (c *Cluster) applyFaults(ctx context.Context, node string) {
	if err := c.injector().Apply(ctx, node); err != nil && ctx.Err() == nil {
		c.note(node, "the faults in force could not be applied to %s: %v", node, err)
	}
}
