package volume

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/helper"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// helperPrefix begins the purpose of the containers through which volumes are read and written.
const helperPrefix = "copy-"

// with calls do with a container that mounts the volumes, and removes it.
func with(ctx context.Context, eng orchestrator.Engine, volumes []Volume, do func(id string) error) (err error) {
	sweep(ctx, eng, volumes[0].Cluster)
	image, err := imageFor(ctx, eng, volumes[0].Cluster)
	if err != nil {
		return err
	}
	purpose := helperPrefix + strings.ToLower(rand.Text()[:6])
	c := orchestrator.ContainerSpec{
		Name: network.Names{Cluster: volumes[0].Cluster}.Container(purpose), Image: image, Entrypoint: []string{helper.Program}, NoInit: true,
		Labels: map[string]string{
			orchestrator.LabelCluster: volumes[0].Cluster, orchestrator.LabelHelper: purpose, orchestrator.LabelOwner: manifest.MustJSON(keeper.Self(false)),
		},
		StopTimeout: time.Second, LogMaxSize: "1m", LogMaxFile: 1,
	}
	for _, v := range volumes {
		c.Volumes = append(c.Volumes, orchestrator.VolumeMount{Volume: v.Volume, Target: v.folder()})
	}
	// Once requested, the container will be created: it must be removed in any case.
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
	defer cancel()
	id, err := eng.CreateContainer(lasting, c)
	if err != nil {
		return fmt.Errorf("create a container to reach %s: %w", volumes[0].Volume, err)
	}
	defer func() {
		lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
		defer cancel()
		err = errors.Join(err, eng.RemoveContainer(lasting, id))
	}()
	return do(id)
}

// imageFor returns an image to create the container of: that of a node, or else that of helpers.
func imageFor(ctx context.Context, eng orchestrator.Engine, cluster string) (string, error) {
	containers, err := eng.Containers(ctx, map[string]string{orchestrator.LabelCluster: cluster})
	if err != nil {
		return "", fmt.Errorf("list containers: %w", err)
	}
	for _, c := range containers {
		if _, err := eng.Image(ctx, c.Image); err == nil {
			return c.Image, nil
		}
	}
	info, err := eng.Info(ctx)
	if err != nil {
		return "", err
	}
	image, err := helper.Image(ctx, eng, info, "")
	if err != nil {
		return "", fmt.Errorf("make the image of the helper: %w", err)
	}
	return image, nil
}

// sweep removes the containers of processes that were killed meanwhile.
func sweep(ctx context.Context, eng orchestrator.Engine, cluster string) {
	left, err := eng.Containers(ctx, map[string]string{orchestrator.LabelCluster: cluster})
	if err != nil {
		return // the next call tries again
	}
	for _, c := range left {
		if !strings.HasPrefix(c.Labels[orchestrator.LabelHelper], helperPrefix) {
			continue
		}
		if alive, sure := keeper.Alive(orchestrator.OwnerOf(c.Labels)); !alive && sure {
			_ = eng.RemoveContainer(ctx, c.ID) // as above
		}
	}
}
