package enginetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// volume is a named volume: its files by their paths below its root.
type volume struct {
	labels map[string]string
	files  map[string]kept
}

// CreateVolume implements orchestrator.Volumes.
func (e *Engine) CreateVolume(_ context.Context, v orchestrator.Volume) error {
	if err := e.fails("CreateVolume"); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.volumes[v.Name] == nil {
		e.volumes[v.Name] = &volume{labels: maps.Clone(v.Labels), files: map[string]kept{}}
	}
	return nil
}

// RemoveVolume implements orchestrator.Volumes.
func (e *Engine) RemoveVolume(_ context.Context, name string) error {
	if err := e.fails("RemoveVolume"); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.containers {
		if slices.ContainsFunc(c.spec.Volumes, func(v orchestrator.VolumeMount) bool { return v.Volume == name }) {
			return fmt.Errorf("container %s has volume %s: %w", c.spec.Name, name, orchestrator.ErrConflict)
		}
	}
	delete(e.volumes, name)
	return nil
}

// Volumes implements orchestrator.Volumes.
func (e *Engine) Volumes(_ context.Context, labels map[string]string) ([]orchestrator.Volume, error) {
	if err := e.fails("Volumes"); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []orchestrator.Volume
	for _, name := range slices.Sorted(maps.Keys(e.volumes)) {
		if v := e.volumes[name]; carries(v.labels, labels) {
			list = append(list, orchestrator.Volume{Name: name, Labels: maps.Clone(v.labels)})
		}
	}
	return list, nil
}

// place returns where a container keeps a file: in one of its volumes, or in the
// container itself. The caller holds the lock.
func (e *Engine) place(c *container, path string) (files map[string]kept, name string) {
	for _, v := range c.spec.Volumes {
		if below, ok := strings.CutPrefix(path, v.Target+"/"); ok {
			return e.volumes[v.Volume].files, below
		}
	}
	if c.files == nil {
		c.files = map[string]kept{}
	}
	return c.files, path
}
