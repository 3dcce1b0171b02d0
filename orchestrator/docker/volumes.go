package docker

import (
	"context"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/volume"

	"github.com/beamyard/beamyard/orchestrator"
)

// CreateVolume implements orchestrator.Volumes: POST /volumes/create.
func (e *Engine) CreateVolume(ctx context.Context, v orchestrator.Volume) error {
	_, err := e.cli.VolumeCreate(ctx, volume.CreateOptions{Name: v.Name, Labels: v.Labels})
	return e.failed("create volume "+v.Name, err)
}

// RemoveVolume implements orchestrator.Volumes: DELETE /volumes/{name}.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	err := e.cli.VolumeRemove(ctx, name, false)
	if errdefs.IsNotFound(err) {
		return nil
	}
	return e.failed("remove volume "+name, err)
}

// Volumes implements orchestrator.Volumes: GET /volumes.
func (e *Engine) Volumes(ctx context.Context, labels map[string]string) ([]orchestrator.Volume, error) {
	list, err := e.cli.VolumeList(ctx, volume.ListOptions{Filters: labelled(labels)})
	if err != nil {
		return nil, e.failed("list volumes", err)
	}
	volumes := make([]orchestrator.Volume, len(list.Volumes))
	for i, v := range list.Volumes {
		volumes[i] = orchestrator.Volume{Name: v.Name, Labels: v.Labels}
	}
	slices.SortFunc(volumes, func(a, b orchestrator.Volume) int { return strings.Compare(a.Name, b.Name) })
	return volumes, nil
}
