package hosts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// CreateContainer implements orchestrator.Containers.
func (e *Engine) CreateContainer(ctx context.Context, c orchestrator.ContainerSpec) (string, error) {
	h, err := e.hostFor(ctx, c)
	if err != nil {
		return "", err
	}
	if !e.claim(c.Name) {
		return "", fmt.Errorf("create container %s: %w", c.Name, orchestrator.ErrNameTaken)
	}
	defer e.unclaim(c.Name)
	if err := e.nameFree(ctx, c.Name, h); err != nil {
		return "", err
	}
	if err := e.provide(ctx, h, c.Image); err != nil {
		return "", fmt.Errorf("create container %s: %w", c.Name, err)
	}
	id, err := h.CreateContainer(ctx, c)
	if err != nil {
		return "", h.failed(err)
	}
	e.index.learn(id, h)
	return id, nil
}

// hostFor returns the host to create a container on.
func (e *Engine) hostFor(ctx context.Context, c orchestrator.ContainerSpec) (*host, error) {
	switch {
	case c.Host != "":
		return e.named(c.Host)
	case c.NetworkOf != "":
		return e.hostOf(ctx, c.NetworkOf)
	case c.PIDOf != "":
		return e.hostOf(ctx, c.PIDOf)
	}
	return e.home(ctx)
}

// claim reserves a name for a creation, and reports whether it was free.
func (e *Engine) claim(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	taken := e.naming[name]
	e.naming[name] = true
	return !taken
}

func (e *Engine) unclaim(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.naming, name)
}

// nameFree checks that no other host that answers has a container of that name. The host itself
// checks its own.
func (e *Engine) nameFree(ctx context.Context, name string, own *host) error {
	if len(e.hosts) == 1 {
		return nil
	}
	taken, err := each(ctx, e, func(ctx context.Context, h *host) (bool, error) {
		if h == own {
			return false, nil
		}
		_, err := h.InspectContainer(ctx, name)
		if errors.Is(err, orchestrator.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	})
	for _, a := range taken {
		if a.value {
			return fmt.Errorf("create container %s: host %s has it: %w", name, a.name, orchestrator.ErrNameTaken)
		}
	}
	if errors.Is(err, orchestrator.ErrHostLost) {
		return nil
	}
	return err
}

// StartContainer implements orchestrator.Containers.
func (e *Engine) StartContainer(ctx context.Context, id string) error {
	return e.on(ctx, id, func(h *host) error { return h.StartContainer(ctx, id) })
}

// StopContainer implements orchestrator.Containers.
func (e *Engine) StopContainer(ctx context.Context, id string, grace time.Duration) error {
	return e.on(ctx, id, func(h *host) error { return h.StopContainer(ctx, id, grace) })
}

// KillContainer implements orchestrator.Containers.
func (e *Engine) KillContainer(ctx context.Context, id, signal string) error {
	return e.on(ctx, id, func(h *host) error { return h.KillContainer(ctx, id, signal) })
}

// PauseContainer implements orchestrator.Containers.
func (e *Engine) PauseContainer(ctx context.Context, id string) error {
	return e.on(ctx, id, func(h *host) error { return h.PauseContainer(ctx, id) })
}

// UnpauseContainer implements orchestrator.Containers.
func (e *Engine) UnpauseContainer(ctx context.Context, id string) error {
	return e.on(ctx, id, func(h *host) error { return h.UnpauseContainer(ctx, id) })
}

// LimitContainer implements orchestrator.Containers.
func (e *Engine) LimitContainer(ctx context.Context, id string, l orchestrator.Limits) error {
	return e.on(ctx, id, func(h *host) error { return h.LimitContainer(ctx, id, l) })
}

// RemoveContainer implements orchestrator.Containers.
func (e *Engine) RemoveContainer(ctx context.Context, id string) error {
	err := e.on(ctx, id, func(h *host) error { return h.RemoveContainer(ctx, id) })
	if errors.Is(err, orchestrator.ErrNotFound) {
		err = nil
	}
	if err == nil {
		e.index.forget(id)
	}
	return err
}

// Containers implements orchestrator.Containers. With a [MissingError], the list has the
// containers of the other hosts.
func (e *Engine) Containers(ctx context.Context, labels map[string]string) ([]orchestrator.Container, error) {
	answers, err := each(ctx, e, func(ctx context.Context, h *host) ([]orchestrator.Container, error) {
		ahead, err := h.offset(ctx)
		if err != nil {
			return nil, err
		}
		list, err := h.Containers(ctx, labels)
		for i, c := range list {
			list[i] = h.described(c, ahead)
		}
		return list, err
	})
	var all []orchestrator.Container
	for _, a := range answers {
		for _, c := range a.value {
			e.index.learn(c.ID, a.host)
		}
		all = append(all, a.value...)
	}
	slices.SortFunc(all, func(a, b orchestrator.Container) int { return strings.Compare(a.ID, b.ID) })
	return all, err
}

// InspectContainer implements orchestrator.Containers.
func (e *Engine) InspectContainer(ctx context.Context, id string) (c orchestrator.Container, err error) {
	err = e.on(ctx, id, func(h *host) error {
		ahead, err := h.offset(ctx)
		if err != nil {
			return err
		}
		found, err := h.InspectContainer(ctx, id)
		c = h.described(found, ahead)
		return err
	})
	return c, err
}

// OpenFile implements orchestrator.Containers.
func (e *Engine) OpenFile(ctx context.Context, id, path string) (content io.ReadCloser, modified time.Time, err error) {
	err = e.on(ctx, id, func(h *host) error {
		ahead, err := h.offset(ctx)
		if err != nil {
			return err
		}
		content, modified, err = h.OpenFile(ctx, id, path)
		modified = ours(modified, ahead)
		return err
	})
	return content, modified, err
}

// WriteFiles implements orchestrator.Containers.
func (e *Engine) WriteFiles(ctx context.Context, id string, archive io.Reader) error {
	return e.on(ctx, id, func(h *host) error { return h.WriteFiles(ctx, id, archive) })
}
