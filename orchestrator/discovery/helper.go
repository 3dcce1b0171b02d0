package discovery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/provision"
)

// attachHelper connects a helper that was just created to the additional networks of its
// cluster, by its host name only: it provides no service there.
func (f Cluster) attachHelper(ctx context.Context, eng orchestrator.Engine, name, id string) error {
	for _, network := range slices.Sorted(maps.Keys(f.Spec.Networks)) {
		if err := eng.ConnectNetwork(ctx, network, id, []string{f.Spec.Names().Dotted(name)}); err != nil {
			return fmt.Errorf("attach to network %s: %w", network, err)
		}
	}
	return nil
}

// startHelper creates and starts a helper, with the files of a tar archive in it. It replaces one
// that has ended.
func (f Cluster) startHelper(ctx context.Context, eng orchestrator.Engine, name string, c orchestrator.ContainerSpec, files []byte) (id string, err error) {
	if old, there := f.Helpers[name]; there {
		if old.State.Running {
			return "", orchestrator.WithHint(fmt.Errorf("%w: %s", orchestrator.ErrNameTaken, old.Name), "one runs in this cluster already; end it: docker rm -f %s", old.Name)
		}
		if err := eng.RemoveContainer(ctx, old.ID); err != nil {
			return "", err
		}
	}
	for {
		if id, err = eng.CreateContainer(ctx, c); manifest.LeaveOut(&c, err) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("create container %s: %w", c.Name, err)
		}
		if err = f.attachHelper(ctx, eng, name, id); err == nil {
			err = provision.Writer{Engine: eng}.Helper(ctx, f.Spec, id, c)
		}
		if err == nil && len(files) > 0 {
			err = eng.WriteFiles(ctx, id, bytes.NewReader(files))
		}
		if err == nil {
			err = eng.StartContainer(ctx, id)
		}
		if err == nil {
			return id, nil
		}
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
		removed := eng.RemoveContainer(cleanup, id)
		cancel()
		if removed != nil || !manifest.LeaveOut(&c, err) {
			return "", errors.Join(fmt.Errorf("start container %s: %w", c.Name, err), removed)
		}
	}
}

// helpersOf returns the helpers among a cluster's containers, by purpose.
func helpersOf(containers []orchestrator.Container) map[string]orchestrator.Container {
	helpers := map[string]orchestrator.Container{}
	for _, c := range containers {
		if name := c.Labels[orchestrator.LabelHelper]; name != "" {
			helpers[name] = c
		}
	}
	return helpers
}
