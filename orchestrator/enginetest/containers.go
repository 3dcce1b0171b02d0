package enginetest

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// container is one container. The engine's lock guards it.
type container struct {
	id      string
	spec    orchestrator.ContainerSpec
	created time.Time
	ip      netip.Addr
	state   orchestrator.ContainerState
	log     []record
	more    chan struct{} // closed and replaced with each record and each exit
	runs    int
	process *Process // of the present run
}

// CreateContainer implements orchestrator.Containers.
func (e *Engine) CreateContainer(_ context.Context, spec orchestrator.ContainerSpec) (string, error) {
	if err := e.fails("CreateContainer"); err != nil {
		return "", err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.images[spec.Image]; !ok {
		return "", fmt.Errorf("create container %s: image %s: %w", spec.Name, spec.Image, orchestrator.ErrNotFound)
	}
	for _, other := range e.containers {
		if other.spec.Name == spec.Name {
			return "", fmt.Errorf("create container %s: %w", spec.Name, orchestrator.ErrNameTaken)
		}
	}
	c := &container{id: e.id(), spec: spec, created: e.now(), more: make(chan struct{})}
	c.spec.Labels = maps.Clone(spec.Labels)
	c.state.Status = "created"
	e.containers[c.id] = c
	e.emit(c, "create")
	return c.id, nil
}

// StartContainer implements orchestrator.Containers.
func (e *Engine) StartContainer(_ context.Context, id string) error {
	if err := e.fails("StartContainer"); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return err
	}
	if c.state.Running {
		return nil
	}
	for _, other := range e.containers {
		if other != c && other.state.Running && sharesPort(other.spec.Ports, c.spec.Ports) {
			c.state.Error = "port is already allocated" // and no event tells
			return fmt.Errorf("start container %s: %w", c.spec.Name, orchestrator.ErrPortTaken)
		}
	}
	program := UntilStopped
	if e.Program != nil {
		if p := e.Program(c.spec); p != nil {
			program = p
		}
	}
	c.runs++
	c.ip = e.address(c)
	c.state = orchestrator.ContainerState{Status: "running", Running: true, PID: 1000 + e.serial, StartedAt: e.now()}
	e.emit(c, "start")
	e.run(c, program)
	return nil
}

func sharesPort(a, b []orchestrator.PortBinding) bool {
	return slices.ContainsFunc(a, func(p orchestrator.PortBinding) bool {
		return slices.ContainsFunc(b, func(q orchestrator.PortBinding) bool { return p.Host == q.Host })
	})
}

// StopContainer implements orchestrator.Containers.
func (e *Engine) StopContainer(ctx context.Context, id string, grace time.Duration) error {
	if err := e.fails("StopContainer"); err != nil {
		return err
	}
	e.mu.Lock()
	c, err := e.find(id)
	if err != nil || !c.state.Running {
		e.mu.Unlock()
		return err
	}
	p := c.process
	c.state.Paused = false
	e.emit(c, "kill", signal("15"))
	e.mu.Unlock()
	p.send("TERM")
	select {
	case <-p.done:
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(grace):
		e.mu.Lock()
		if c.process == p && c.state.Running {
			e.emit(c, "kill", signal("9"))
		}
		e.mu.Unlock()
		e.exited(c, p, 137)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.emit(c, "stop")
	return nil
}

// KillContainer implements orchestrator.Containers.
func (e *Engine) KillContainer(_ context.Context, id, name string) error {
	if err := e.fails("KillContainer"); err != nil {
		return err
	}
	e.mu.Lock()
	c, err := e.find(id)
	if err == nil && !c.state.Running {
		err = fmt.Errorf("kill container %s: %w", c.spec.Name, orchestrator.ErrNotRunning)
	}
	if err != nil {
		e.mu.Unlock()
		return err
	}
	name = strings.TrimPrefix(name, "SIG")
	e.emit(c, "kill", signal(numbers[name]))
	p := c.process
	e.mu.Unlock()
	if name == "KILL" {
		e.exited(c, p, 137)
	} else {
		p.send(name)
	}
	return nil
}

// numbers of the signals, as kill events carry them.
var numbers = map[string]string{"HUP": "1", "INT": "2", "QUIT": "3", "ABRT": "6", "KILL": "9", "USR1": "10", "TERM": "15"}

// RemoveContainer implements orchestrator.Containers.
func (e *Engine) RemoveContainer(_ context.Context, id string) error {
	if err := e.fails("RemoveContainer"); err != nil {
		return err
	}
	e.mu.Lock()
	c, err := e.find(id)
	if err != nil {
		e.mu.Unlock()
		return nil
	}
	p, running := c.process, c.state.Running
	if running {
		e.emit(c, "kill", signal("9"))
	}
	e.mu.Unlock()
	if running {
		e.exited(c, p, 137)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.containers[c.id] == c {
		delete(e.containers, c.id)
		e.emit(c, "destroy")
	}
	return nil
}

// Containers implements orchestrator.Containers. As with the real engine, a
// listed container lacks what only an inspection tells.
func (e *Engine) Containers(_ context.Context, labels map[string]string) ([]orchestrator.Container, error) {
	if err := e.fails("Containers"); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []orchestrator.Container
	for _, c := range e.containers {
		if carries(c.spec.Labels, labels) {
			found := c.describe()
			found.State = orchestrator.ContainerState{Status: found.State.Status, Running: found.State.Running, Paused: found.State.Paused}
			list = append(list, found)
		}
	}
	slices.SortFunc(list, func(a, b orchestrator.Container) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// InspectContainer implements orchestrator.Containers.
func (e *Engine) InspectContainer(_ context.Context, id string) (orchestrator.Container, error) {
	if err := e.fails("InspectContainer"); err != nil {
		return orchestrator.Container{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return orchestrator.Container{}, err
	}
	return c.describe(), nil
}

func (c *container) describe() orchestrator.Container {
	found := orchestrator.Container{
		ID: c.id, Name: c.spec.Name, Image: c.spec.Image, Labels: maps.Clone(c.spec.Labels), Created: c.created,
		Ports: slices.Clone(c.spec.Ports), State: c.state, IP: c.ip,
	}
	if c.spec.NetworkID != "" {
		found.Networks = []string{c.spec.NetworkID}
	}
	if !c.state.Running {
		found.IP = c.spec.IP
	}
	return found
}

// find returns a container by ID or name. Its caller holds the lock.
func (e *Engine) find(id string) (*container, error) {
	if c, ok := e.containers[id]; ok {
		return c, nil
	}
	for _, c := range e.containers {
		if c.spec.Name == id {
			return c, nil
		}
	}
	return nil, fmt.Errorf("container %s: %w", id, orchestrator.ErrNotFound)
}
