package enginetest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// StopContainer implements orchestrator.Containers. As on a real engine, a stop continues
// after its caller has stopped waiting.
func (e *Engine) StopContainer(ctx context.Context, id string, grace time.Duration) error {
	if err := e.fails("StopContainer"); err != nil {
		return err
	}
	stopped, err := e.stop(id, grace)
	if err != nil {
		return err
	}
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop begins to stop a container. The channel is closed when it has exited.
func (e *Engine) stop(id string, grace time.Duration) (<-chan struct{}, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return nil, err
	}
	stopped := make(chan struct{})
	if !c.state.Running {
		close(stopped)
		return stopped, nil
	}
	e.emit(c, "kill", signal("15"))
	if c.state.Paused {
		c.state.Paused, c.state.Status = false, "running"
		e.emit(c, "unpause")
	}
	p := c.process
	p.send("TERM")
	go func() {
		defer close(stopped)
		e.finishStop(c, p, grace)
	}()
	return stopped, nil
}

// finishStop waits for the end of a run, and kills it after the timeout.
func (e *Engine) finishStop(c *container, p *Process, grace time.Duration) {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		e.kill(c, p)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.emit(c, "stop")
}

// kill sends SIGKILL to a run that may have ended by itself.
func (e *Engine) kill(c *container, p *Process) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.process == p && c.state.Running {
		e.emit(c, "kill", signal("9"))
		e.exited(c, p, 137)
	}
}

// KillContainer implements orchestrator.Containers.
func (e *Engine) KillContainer(_ context.Context, id, name string) error {
	if err := e.fails("KillContainer"); err != nil {
		return err
	}
	return e.killNamed(id, name)
}

// killNamed sends a signal, also if the engine is away for its clients.
func (e *Engine) killNamed(id, name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return err
	}
	if !c.state.Running {
		return fmt.Errorf("kill container %s: %w", c.spec.Name, orchestrator.ErrNotRunning)
	}
	name = strings.TrimPrefix(name, "SIG")
	e.emit(c, "kill", signal(numbers[name]))
	if name == "KILL" {
		e.exited(c, c.process, 137)
	} else {
		c.process.send(name)
	}
	return nil
}

// numbers are the numbers of the signals, as in kill events.
var numbers = map[string]string{"HUP": "1", "INT": "2", "QUIT": "3", "ABRT": "6", "KILL": "9", "USR1": "10", "TERM": "15"}

// RemoveContainer implements orchestrator.Containers.
func (e *Engine) RemoveContainer(_ context.Context, id string) error {
	if err := e.fails("RemoveContainer"); err != nil {
		return err
	}
	e.remove(id)
	return nil
}

// remove removes a container, also if the engine is away for its clients.
func (e *Engine) remove(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return
	}
	if c.state.Running {
		e.emit(c, "kill", signal("9"))
		e.exited(c, c.process, 137)
	}
	delete(e.containers, c.id)
	e.emit(c, "destroy")
}
