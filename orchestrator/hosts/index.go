package hosts

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/beamyard/beamyard/orchestrator"
)

// index knows the hosts of containers by their IDs. What it lacks can be asked for, so it may
// forget.
type index struct {
	mu sync.Mutex
	of map[string]*host
}

func (x *index) learn(id string, h *host) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.of[id] = h
}

func (x *index) forget(id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.of, id)
}

func (x *index) find(id string) *host {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.of[id]
}

// hostOf returns the host of a container, by its ID or name. If no host that answers has it, and
// one does not answer, that one may have it: the error is then a [MissingError], and otherwise
// [orchestrator.ErrNotFound].
func (e *Engine) hostOf(ctx context.Context, id string) (*host, error) {
	if h := e.index.find(id); h != nil {
		return h, nil
	}
	if len(e.hosts) == 1 {
		return e.hosts[0], nil
	}
	found, err := each(ctx, e, func(ctx context.Context, h *host) (*orchestrator.Container, error) {
		c, err := h.InspectContainer(ctx, id)
		if errors.Is(err, orchestrator.ErrNotFound) {
			return nil, nil
		}
		return &c, err
	})
	for _, a := range found {
		if a.value != nil {
			e.index.learn(a.value.ID, a.host)
			return a.host, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("container %s: %w", id, orchestrator.ErrNotFound)
	}
	return nil, err
}

// on calls do with the host of a container.
func (e *Engine) on(ctx context.Context, id string, do func(*host) error) error {
	h, err := e.hostOf(ctx, id)
	if err != nil {
		return err
	}
	return h.failed(do(h))
}
