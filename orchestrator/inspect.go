package orchestrator

import (
	"context"
	"errors"
)

// This file asks the engine for the state of runs.

// compare asks the engine for all containers and reports each node's. It finds changes
// that the event stream lost.
func (c *Cluster) compare(ctx context.Context, runs map[string]report) {
	listed, err := c.eng.Containers(ctx, map[string]string{LabelCluster: c.spec.Name})
	if err != nil {
		return // the event stream reports when the engine is back
	}
	found := map[string]Container{}
	for _, l := range listed {
		found[l.Labels[LabelNode]] = l
	}
	for node, r := range runs {
		switch l, ok := found[node]; {
		case !ok:
			c.box.post(msgSeen{r, nil})
		default:
			c.inspect(ctx, r, l.ID)
		}
	}
}

func (c *Cluster) inspect(ctx context.Context, r report, id string) {
	switch found, err := c.eng.InspectContainer(ctx, id); {
	case err == nil:
		c.box.post(msgSeen{r, &found})
	case errors.Is(err, ErrNotFound):
		c.box.post(msgSeen{r, nil})
	}
}
