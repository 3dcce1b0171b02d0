package cluster

import (
	"context"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/internal/reach"
)

// removeAll removes the containers and then the network, even if some removals fail, and
// returns what it could not remove. It first ends a sync in progress, which may be
// creating the compiler.
func (c *Cluster) removeAll(ctx context.Context) error {
	c.syncer.end()
	c.site.release()
	_, err := discovery.RemoveAll(ctx, c.eng, c.spec.Name)
	return err
}

// sweep removes what killed keepers left behind, and returns the networks that remain. It
// waits for the removal of a cluster of the same name; the others are removed while the
// nodes start.
func (c *Cluster) sweep(ctx context.Context, networks []orchestrator.Network) []orchestrator.Network {
	var stay []orchestrator.Network
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.endSweep = func() { time.AfterFunc(2*time.Second, cancel) } // an engine that refuses a removal must not delay the end
	for _, n := range networks {
		name, owner := n.Labels[orchestrator.LabelCluster], orchestrator.OwnerOf(n.Labels)
		spec, err := orchestrator.SpecOf(n.Labels)
		if name == "" || err != nil || !discovery.Orphaned(spec, owner, reach.KeeperGone(ctx, c.eng, n.Labels)) {
			stay = append(stay, n)
			continue
		}
		remove := func() error {
			err := discovery.RemoveOwned(ctx, c.eng, name, owner)
			if err != nil && ctx.Err() == nil {
				c.note("", "what process %d left of %s is still there: %v", owner.PID, name, err)
			} else if err == nil {
				c.note("", "removed what process %d, which is gone, left of %s", owner.PID, name)
			}
			return err
		}
		if name != c.spec.Name {
			c.wg.Go(func() { _ = remove() }) // a failure is reported as a note
		} else if remove() != nil {
			stay = append(stay, n)
		}
	}
	return stay
}
