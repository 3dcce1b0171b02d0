package enginetest

import (
	"context"
	"fmt"

	"github.com/beamyard/beamyard/orchestrator"
)

// PauseContainer implements orchestrator.Containers. The program continues to run.
func (e *Engine) PauseContainer(_ context.Context, id string) error {
	return e.pausing("PauseContainer", "pause", "paused", id, true)
}

// UnpauseContainer implements orchestrator.Containers.
func (e *Engine) UnpauseContainer(_ context.Context, id string) error {
	return e.pausing("UnpauseContainer", "unpause", "running", id, false)
}

func (e *Engine) pausing(method, action, status, id string, paused bool) error {
	if err := e.fails(method); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(id)
	switch {
	case err != nil:
		return err
	case !c.state.Running:
		return fmt.Errorf("%s container %s: %w", action, c.spec.Name, orchestrator.ErrNotRunning)
	case c.state.Paused == paused:
		return nil
	}
	c.state.Paused, c.state.Status = paused, status
	e.emit(c, action)
	return nil
}

// LimitContainer implements orchestrator.Containers. Programs here exceed no limit.
func (e *Engine) LimitContainer(_ context.Context, id string, l orchestrator.Limits) error {
	if err := e.fails("LimitContainer"); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return err
	}
	c.spec.Memory, c.spec.CPUs = l.Memory, l.CPUs
	return nil
}
