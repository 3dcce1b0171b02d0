package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// This file takes a cluster away.

// removeAll removes the containers and then the network, whatever happened in
// between; it reports what it could not remove.
func (c *Cluster) removeAll(ctx context.Context) error {
	c.site.release()
	_, err := removeCluster(ctx, c.eng, c.spec.Name)
	return err
}

// removeCluster removes everything that carries the cluster's label.
func removeCluster(ctx context.Context, eng Engine, cluster string) (Removed, error) {
	removed := Removed{Cluster: cluster}
	label := map[string]string{LabelCluster: cluster}
	containers, err := eng.Containers(ctx, label)
	if err != nil {
		return removed, fmt.Errorf("list containers: %w", err)
	}
	var group errgroup.Group
	group.SetLimit(16)
	for _, found := range containers {
		removed.Containers = append(removed.Containers, found.Name)
		group.Go(func() error {
			if err := eng.RemoveContainer(ctx, found.ID); err != nil {
				return fmt.Errorf("remove container %s: %w", found.Name, err)
			}
			return nil
		})
	}
	err = group.Wait()
	networks, listErr := eng.Networks(ctx, label)
	err = errors.Join(err, listErr)
	for _, n := range networks {
		removed.Networks = append(removed.Networks, n.Name)
		err = errors.Join(err, removeNetwork(ctx, eng, n))
	}
	if err != nil {
		err = WithHint(err, "try again: beamyard down %s", cluster)
	}
	return removed, err
}

// removeNetwork tries again for a moment: the engine reports endpoints that it
// is still taking away.
func removeNetwork(ctx context.Context, eng Engine, n Network) error {
	for attempt := 0; ; attempt++ {
		err := eng.RemoveNetwork(ctx, n.ID)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrConflict) || attempt == 10 {
			return fmt.Errorf("remove network %s: %w", n.Name, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
