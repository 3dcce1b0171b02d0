package hosts

import (
	"cmp"
	"context"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
)

// CreateVolume implements orchestrator.Volumes: on the volume's host, or on the manager.
func (e *Engine) CreateVolume(ctx context.Context, v orchestrator.Volume) error {
	h, err := e.hostFor(ctx, orchestrator.ContainerSpec{Host: v.Host})
	if err != nil {
		return err
	}
	return h.failed(h.CreateVolume(ctx, v))
}

// RemoveVolume implements orchestrator.Volumes. It removes the volume of that name on every host.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	_, err := each(ctx, e, func(ctx context.Context, h *host) (struct{}, error) {
		return struct{}{}, h.RemoveVolume(ctx, name)
	})
	return err
}

// RemoveVolumeOn removes the volume of that name on one host.
func (e *Engine) RemoveVolumeOn(ctx context.Context, host, name string) error {
	h, err := e.named(host)
	if err != nil {
		return err
	}
	return h.failed(h.RemoveVolume(ctx, name))
}

// Volumes implements orchestrator.Volumes. With a [MissingError], the list has the volumes of the
// other hosts.
func (e *Engine) Volumes(ctx context.Context, labels map[string]string) ([]orchestrator.Volume, error) {
	answers, err := each(ctx, e, func(ctx context.Context, h *host) ([]orchestrator.Volume, error) {
		return h.Volumes(ctx, labels)
	})
	var all []orchestrator.Volume
	for _, a := range answers {
		for _, v := range a.value {
			v.Host = a.name
			all = append(all, v)
		}
	}
	slices.SortStableFunc(all, func(a, b orchestrator.Volume) int { return cmp.Compare(a.Name, b.Name) })
	return all, err
}
