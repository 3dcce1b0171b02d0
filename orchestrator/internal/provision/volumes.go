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
		if err != nil && !errors.Is(err, orchestrator.ErrHostLost) { // another host: this one creates them
			return fmt.Errorf("list volumes: %w", err)
		}
		host := s.Nodes[i].Host
		for _, v := range mounts {
			if slices.ContainsFunc(have, func(h orchestrator.Volume) bool {
				return h.Name == v.Volume && (h.Host == "" || host == "" || h.Host == host)
			}) {
				continue
			}
			if !slices.Contains(fresh, v.Target) {
				fresh = append(fresh, v.Target)
			}
			if err := p.Engine.CreateVolume(ctx, orchestrator.Volume{Name: v.Volume, Host: host, Labels: manifest.Merged(s.Labels, labels)}); err != nil {
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
		if err := p.removeVolume(ctx, p.Spec.Nodes[i].Host, v.Volume); err != nil {
			errs = append(errs, fmt.Errorf("remove volume %s: %w", v.Volume, err))
		}
	}
	return errors.Join(errs...)
}

// removeVolume removes a volume of a node's host. Another host may have one of that name, of the
// same node before it was moved.
func (p Provider) removeVolume(ctx context.Context, host, name string) error {
	several, ok := p.Engine.(interface {
		RemoveVolumeOn(ctx context.Context, host, name string) error
	})
	if ok && host != "" {
		return several.RemoveVolumeOn(ctx, host, name)
	}
	return p.Engine.RemoveVolume(ctx, name)
}
