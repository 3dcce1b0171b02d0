package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file handles named volumes. They outlive their cluster: only [discovery.RemoveVolumes]
// removes them.

// createVolumes creates the missing volumes of node i, and returns the mount points of
// the new ones.
func (c *Cluster) createVolumes(ctx context.Context, i int) (fresh []string, err error) {
	s := c.site.spec
	mounts, labels := manifest.Volumes(s, i), manifest.VolumeLabels(s, s.Nodes[i].Name)
	if len(mounts) == 0 {
		return nil, nil
	}
	err = c.retryUnavailable(ctx, func() error {
		have, err := c.eng.Volumes(ctx, labels)
		if err != nil {
			return fmt.Errorf("list volumes: %w", err)
		}
		for _, v := range mounts {
			if slices.ContainsFunc(have, func(h orchestrator.Volume) bool { return h.Name == v.Volume }) {
				continue
			}
			if !slices.Contains(fresh, v.Target) {
				fresh = append(fresh, v.Target)
			}
			if err := c.eng.CreateVolume(ctx, orchestrator.Volume{Name: v.Volume, Labels: manifest.Merged(s.Labels, labels)}); err != nil {
				return fmt.Errorf("create volume %s: %w", v.Volume, err)
			}
		}
		return nil
	})
	return fresh, err
}

// addFresh records the mount points of new volumes. They stay recorded until the node's
// user owns them.
func (at *slot) addFresh(targets []string) {
	for _, target := range targets {
		if !slices.Contains(at.fresh, target) {
			at.fresh = append(at.fresh, target)
		}
	}
}

// rollback removes a container that could not be given everything its node needs ("" for
// none), and its new volumes: the next container of that name would reuse them, and could
// not write to them. The next launch replaces what cannot be removed, see
// [Cluster.create]. It also works after ctx has ended.
func (c *Cluster) rollback(ctx context.Context, id string, at *slot) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
	defer cancel()
	if id != "" {
		if err := c.eng.RemoveContainer(ctx, id); err != nil {
			return fmt.Errorf("remove what was made of it: %w", err)
		}
	}
	var errs []error
	for _, v := range manifest.Volumes(c.site.spec, at.index) {
		if !slices.Contains(at.fresh, v.Target) {
			continue
		}
		if err := c.eng.RemoveVolume(ctx, v.Volume); err != nil {
			errs = append(errs, fmt.Errorf("remove volume %s: %w", v.Volume, err))
		}
	}
	if len(errs) == 0 {
		at.fresh = nil
	}
	return errors.Join(errs...)
}
