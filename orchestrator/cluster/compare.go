package cluster

import (
	"context"
	"errors"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

// This file asks the engine for the state of runs.

// compare asks the engine for all containers and reports each node's. It finds changes
// that the event stream lost.
func (c *Cluster) compare(ctx context.Context, runs map[string]supervisor.RunID) {
	listed, err := c.eng.Containers(ctx, map[string]string{orchestrator.LabelCluster: c.spec.Name})
	if err != nil && !errors.Is(err, orchestrator.ErrHostLost) {
		return // the event stream reports when the engine is back
	}
	found := map[string]orchestrator.Container{}
	for _, l := range manifest.Current(listed) {
		found[l.Labels[orchestrator.LabelNode]] = l
	}
	for node, r := range runs {
		switch l, ok := found[node]; {
		case !ok && err != nil: // it may be on a host that does not answer
		case !ok:
			c.box.post(supervisor.Seen{RunID: r, Container: nil})
		default:
			c.inspect(ctx, r, l.ID)
		}
	}
}

func (c *Cluster) inspect(ctx context.Context, r supervisor.RunID, id string) {
	switch found, err := c.eng.InspectContainer(ctx, id); {
	case err == nil:
		c.box.post(supervisor.Seen{RunID: r, Container: &found})
	case errors.Is(err, orchestrator.ErrNotFound):
		c.box.post(supervisor.Seen{RunID: r, Container: nil})
	}
}
