package docker

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/versions"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// CreateContainer implements orchestrator.Containers: POST /containers/create.
func (e *Engine) CreateContainer(ctx context.Context, c orchestrator.ContainerSpec) (string, error) {
	if err := e.tunnels(ctx, c.Ports); err != nil {
		return "", fmt.Errorf("create container %s: %w", c.Name, err)
	}
	config, host, networking := createRequest(c, !versions.LessThan(e.cli.ClientVersion(), pinsMAC))
	created, err := e.cli.ContainerCreate(ctx, config, host, networking, nil, c.Name)
	if err != nil {
		return "", e.failed("create container "+c.Name, err)
	}
	return created.ID, nil
}

// StartContainer implements orchestrator.Containers: POST /containers/{id}/start.
func (e *Engine) StartContainer(ctx context.Context, id string) error {
	start := func() error { return e.cli.ContainerStart(ctx, id, container.StartOptions{}) }
	err := start()
	// Docker 26 attaches a container to its networks in random order. If the first one is not the
	// container's own, and that is an overlay which nothing on the machine uses, it is not found.
	for tries := 1; err != nil && strings.Contains(err.Error(), "matching network mode") && tries < 12; tries++ {
		err = start()
	}
	if err != nil || e.tunnel == nil {
		return e.failed("start container "+short(id), err)
	}
	// The list also has the ports that the engine chose.
	list, err := e.cli.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(filters.Arg("id", id))})
	if err != nil {
		return e.failed("look at the ports of container "+short(id), err)
	}
	for _, s := range list {
		e.forward(listed(s)) //nolint:contextcheck // the tunnel outlives the call
	}
	return nil
}

// StopContainer implements orchestrator.Containers: POST /containers/{id}/stop.
func (e *Engine) StopContainer(ctx context.Context, id string, grace time.Duration) error {
	seconds := int(math.Ceil(grace.Seconds()))
	return e.failed("stop container "+short(id), e.cli.ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds}))
}

// KillContainer implements orchestrator.Containers: POST /containers/{id}/kill.
func (e *Engine) KillContainer(ctx context.Context, id, signal string) error {
	return e.failed("kill container "+short(id), e.cli.ContainerKill(ctx, id, signal))
}

// PauseContainer implements orchestrator.Containers: POST /containers/{id}/pause.
func (e *Engine) PauseContainer(ctx context.Context, id string) error {
	return e.pausing(ctx, "pause container "+short(id), id, true, e.cli.ContainerPause)
}

// UnpauseContainer implements orchestrator.Containers: POST
// /containers/{id}/unpause.
func (e *Engine) UnpauseContainer(ctx context.Context, id string) error {
	return e.pausing(ctx, "unpause container "+short(id), id, false, e.cli.ContainerUnpause)
}

// LimitContainer implements orchestrator.Containers: POST /containers/{id}/update.
func (e *Engine) LimitContainer(ctx context.Context, id string, l orchestrator.Limits) error {
	info, err := e.cli.Info(ctx)
	if err != nil {
		return e.failed("limit container "+short(id), err)
	}
	if _, err := e.cli.ContainerUpdate(ctx, id, limited(l, info)); err != nil {
		return e.failed("limit container "+short(id), err)
	}
	return nil
}

// A pause is tried so often where runc gives up, with that time in between.
const (
	freezings = 20
	thawed    = 50 * time.Millisecond
)

// pausing requests a state. If the engine refuses, pausing inspects the container: only the
// engine's text would say that the container already has that state, or does not run.
func (e *Engine) pausing(ctx context.Context, doing, id string, paused bool, ask func(context.Context, string) error) error {
	err := ask(ctx, id)
	// With cgroup v1, runc gives up freezing processes that are very busy, and lets them run again.
	for tries := 1; err != nil && strings.Contains(err.Error(), "unable to freeze") && tries < freezings && wait.Sleep(ctx, thawed); tries++ {
		err = ask(ctx, id)
	}
	if err == nil {
		return nil
	}
	in, inspectErr := e.cli.ContainerInspect(ctx, id)
	switch {
	case inspectErr != nil || in.State == nil:
	case !in.State.Running:
		return fmt.Errorf("%s: %w", doing, orchestrator.ErrNotRunning)
	case in.State.Paused == paused:
		return nil
	}
	return e.failed(doing, err)
}

// RemoveContainer implements orchestrator.Containers: DELETE /containers/{id}. It waits
// for a removal of the same container by another client. It retries for a while if the
// engine fails: an engine whose storage driver finds a folder busy, or not empty, leaves
// the container half removed, and removes the rest on the next attempt.
func (e *Engine) RemoveContainer(ctx context.Context, id string) error {
	for attempt := 0; ; attempt++ {
		err := e.cli.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
		switch {
		case err == nil, errdefs.IsNotFound(err):
			if e.tunnel != nil {
				e.tunnel.Release(id)
			}
			return nil
		case !errdefs.IsConflict(err) && !errdefs.IsInternal(err) || attempt == 50:
			return e.failed("remove container "+short(id), err)
		}
		if !wait.Sleep(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// Containers implements orchestrator.Containers: GET /containers/json. A list by labels is of what
// the caller knows: the ports of its containers are tunnelled, if those of the engine are.
func (e *Engine) Containers(ctx context.Context, labels map[string]string) ([]orchestrator.Container, error) {
	list, err := e.cli.ContainerList(ctx, container.ListOptions{All: true, Filters: labelled(labels)})
	if err != nil {
		return nil, e.failed("list containers", err)
	}
	containers := make([]orchestrator.Container, len(list))
	for i, s := range list {
		containers[i] = listed(s)
		if len(labels) > 0 {
			e.forward(containers[i]) //nolint:contextcheck // the tunnel outlives the call
		}
	}
	return containers, nil
}

// InspectContainer implements orchestrator.Containers: GET /containers/{id}/json.
func (e *Engine) InspectContainer(ctx context.Context, id string) (orchestrator.Container, error) {
	if id == "" {
		return orchestrator.Container{}, fmt.Errorf("inspect container: %w", orchestrator.ErrNotFound)
	}
	in, err := e.cli.ContainerInspect(ctx, id)
	if err != nil {
		return orchestrator.Container{}, e.failed("inspect container "+short(id), err)
	}
	return inspected(in), nil
}

func labelled(labels map[string]string) filters.Args {
	f := filters.NewArgs()
	for k, v := range labels {
		f.Add("label", k+"="+v)
	}
	return f
}

// short returns an ID as the docker command prints it; a name is not changed.
func short(id string) string {
	if len(id) == 64 {
		return id[:12]
	}
	return id
}
