package faults

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/helper"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file has our containers beside the nodes: helpers, and the records of faults.

// passing is the purpose of helpers that end when they have answered.
const passing = "faults"

// helpOne runs one helper to its end, and removes it.
func (i Injector) helpOne(ctx context.Context, image, node, of string, r request) (answer, error) {
	c := i.container(image, passing, passing+"-"+node+"-"+strings.ToLower(rand.Text()[:8]))
	c.Env = []string{helperVariable + "=" + manifest.MustJSON(r)}
	c.NetworkOf, c.Capabilities = of, []string{"NET_ADMIN"}
	id, a, err := i.runHelper(ctx, c)
	if err != nil {
		return answer{}, err
	}
	i.removeHelper(ctx, id)
	return a, nil
}

// errReplaced reports that another request removed a helper before it answered.
var errReplaced = errors.New("another request replaced the helper")

// runHelper starts a helper and reads its answer. If it fails, nothing is left of it, and the error
// matches errReplaced if nothing was left of it before.
func (i Injector) runHelper(ctx context.Context, c orchestrator.ContainerSpec) (id string, a answer, err error) {
	if id, err = i.Engine.CreateContainer(ctx, c); err != nil {
		return "", a, fmt.Errorf("create the helper: %w", err)
	}
	if err = i.Engine.StartContainer(ctx, id); err != nil {
		err = fmt.Errorf("start the helper: %w", err)
	} else {
		a, err = readAnswer(ctx, i.Engine, id)
	}
	if err != nil {
		if _, gone := i.Engine.InspectContainer(ctx, id); errors.Is(gone, orchestrator.ErrNotFound) {
			return "", a, fmt.Errorf("%w: %w", errReplaced, err)
		}
		i.removeHelper(ctx, id)
		return "", a, err
	}
	return id, a, nil
}

func (i Injector) removeHelper(ctx context.Context, id string) {
	removing, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
	defer cancel()
	_ = i.Engine.RemoveContainer(removing, id) // it has ended, and goes with the cluster at the latest
}

// record is the container that records a fault. It is never started.
func (i Injector) record(image string, f fault.Fault) orchestrator.ContainerSpec {
	c := i.container(image, helperPrefix+f.ID, helperPrefix+f.ID)
	c.Labels[orchestrator.LabelFault] = manifest.MustJSON(f)
	return c
}

// container is one of our containers beside the nodes.
func (i Injector) container(image, purpose, name string) orchestrator.ContainerSpec {
	labels := manifest.ClusterLabels(i.Spec, time.Now())
	labels[orchestrator.LabelHelper] = purpose
	return orchestrator.ContainerSpec{
		Name: i.Spec.Names().Container(name), Image: image, Entrypoint: []string{helper.Program}, User: "0",
		Labels: labels, NoInit: true, StopTimeout: time.Second, LogMaxSize: "1m", LogMaxFile: 1,
	}
}
