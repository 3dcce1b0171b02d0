package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file handles named volumes. They outlive their cluster: only discovery.RemoveVolumes
// removes them.

// CreateVolumes creates the missing volumes of node i, and returns the mount points of
// the new ones.
func (p Provider) CreateVolumes(ctx context.Context, i int) (fresh []string, err error) {
	s := p.Spec
	mounts, labels := manifest.Volumes(s, i), manifest.VolumeLabels(s, s.Nodes[i].Name)
	if len(mounts) == 0 {
		return nil, nil
	}
	err = p.Retry(ctx, func() error {
		have, err := p.Engine.Volumes(ctx, labels)
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
			if err := p.Engine.CreateVolume(ctx, orchestrator.Volume{Name: v.Volume, Host: s.Nodes[i].Host, Labels: manifest.Merged(s.Labels, labels)}); err != nil {
				return fmt.Errorf("create volume %s: %w", v.Volume, err)
			}
		}
		return nil
	})
	return fresh, err
}

// RemoveVolumes removes the volumes of node i that are mounted at fresh.
func (p Provider) RemoveVolumes(ctx context.Context, i int, fresh []string) error {
	var errs []error
	for _, v := range manifest.Volumes(p.Spec, i) {
		if !slices.Contains(fresh, v.Target) {
			continue
		}
		if err := p.Engine.RemoveVolume(ctx, v.Volume); err != nil {
			errs = append(errs, fmt.Errorf("remove volume %s: %w", v.Volume, err))
		}
	}
	return errors.Join(errs...)
}
