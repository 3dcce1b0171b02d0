package cluster

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/faults"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

// This file is what a cluster knows of faults. Any process injects and heals them through
// the engine, see package faults; the engine's events tell.

// Faults injects faults into the cluster, lists them and heals them. Faults that say
// disconnect come into force when the cluster has heard of them, shortly after the call.
func (c *Cluster) Faults() faults.Injector { return faults.Injector{Engine: c.eng, Spec: c.Spec()} }

// lookAtFaults tells the supervisor which faults are in force. healed are those whose records are
// known to be gone: while a host does not answer, the list may lack others.
func (c *Cluster) lookAtFaults(ctx context.Context, healed ...string) {
	c.faultsMu.Lock() // an older list must not follow a newer one
	defer c.faultsMu.Unlock()
	all, err := c.Faults().List(ctx)
	partial := errors.Is(err, orchestrator.ErrHostLost)
	if err != nil && !partial {
		if ctx.Err() == nil {
			c.note("", "cannot list the faults in force: %v", err)
		}
		return
	}
	c.faulty.Store(len(all) > 0 || partial && c.faulty.Load())
	c.box.post(supervisor.FaultsInForce{Faults: all, Partial: partial, Healed: healed})
}

// applyFaults gives nodes, or all if none is named, what the faults in force want: to a run that
// has just begun its rules, for example. Until then the rules of its peers hold.
func (c *Cluster) applyFaults(ctx context.Context, nodes ...string) {
	if err := c.Faults().Apply(ctx, nodes...); err != nil && ctx.Err() == nil {
		c.note("", "the faults in force could not be applied to %s: %v", cmp.Or(strings.Join(nodes, ", "), "the nodes"), err)
	}
}
