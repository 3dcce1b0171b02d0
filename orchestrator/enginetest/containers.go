package enginetest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// container is one container. The engine's lock guards it.
type container struct {
	id        string
	spec      orchestrator.ContainerSpec
	created   time.Time
	attached  []orchestrator.Attachment  // by the networks' names; without an address while the container does not run
	aliases   map[string][]string        // its aliases in them, by their IDs
	published []orchestrator.PortBinding // of the present run
	state     orchestrator.ContainerState
	log       []record
	more      chan struct{} // closed and replaced with each record and each exit
	runs      int
	process   *Process // of the present run
	files     map[string]kept
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
	for _, m := range spec.Mounts {
		if _, err := os.Stat(m.Source); err != nil {
			return "", fmt.Errorf("create container %s: bind source path does not exist: %s", spec.Name, m.Source)
		}
	}
	for _, v := range spec.Volumes {
		if e.volumes[v.Volume] == nil { // a real engine creates one, without labels: it would never be found
			return "", fmt.Errorf("create container %s: volume %s: %w", spec.Name, v.Volume, orchestrator.ErrNotFound)
		}
	}
	for _, other := range e.containers {
		if other.spec.Name == spec.Name {
			return "", fmt.Errorf("create container %s: %w", spec.Name, orchestrator.ErrNameTaken)
		}
	}
	c := &container{id: e.id(), spec: spec, created: e.now(), more: make(chan struct{}), aliases: map[string][]string{}}
	if n := e.network(spec.NetworkID); n != nil {
		c.join(n, spec.Aliases)
	}
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
	if err := e.obstacle(c); err != nil {
		c.state.Error = err.Error() // without an event
		return fmt.Errorf("start container %s: %w", c.spec.Name, err)
	}
	program := UntilStopped
	open, waits := manifest.Waits(c.spec)
	if e.Program != nil {
		if p := e.Program(open); p != nil {
			program = p
		}
	}
	if waits {
		program = parked(open, program)
	}
	c.runs++
	for i := range c.attached {
		c.attached[i].IP = e.address(c, c.attached[i].Network)
	}
	c.published = e.publish(c.spec.Ports)
	c.state = orchestrator.ContainerState{ // a running container still has the end of its last run
		Status: "running", Running: true, PID: 1000 + e.serial, StartedAt: e.now(), FinishedAt: c.state.FinishedAt,
	}
	e.emit(c, "start")
	e.run(c, program) //nolint:contextcheck // a container outlives the call that started it
	return nil
}

// obstacle returns the reason why a container cannot start. The caller holds the lock.
func (e *Engine) obstacle(c *container) error {
	if e.NoInit && !c.spec.NoInit {
		return fmt.Errorf(`exec: "docker-init": executable file not found in $PATH: %w`, orchestrator.ErrNoInit)
	}
	if c.spec.NetworkID != "" && e.network(c.spec.NetworkID) == nil {
		return fmt.Errorf("network %s: %w", c.spec.NetworkID, orchestrator.ErrNotFound)
	}
	for id, kind := range map[string]error{c.spec.NetworkOf: orchestrator.ErrConflict, c.spec.PIDOf: orchestrator.ErrNotRunning} {
		if of := e.containers[id]; id != "" && (of == nil || !of.state.Running) {
			return fmt.Errorf("cannot join a namespace of a container that is not running: %w", kind)
		}
	}
	if strings.Trim(c.spec.User, "0123456789:") != "" && c.spec.User != "root" {
		return fmt.Errorf("unable to find user %s: %w", c.spec.User, orchestrator.ErrCannotStart) // images here have no passwd file
	}
	for _, a := range c.attached {
		if e.network(a.Network) == nil {
			return fmt.Errorf("network %s: %w", a.Name, orchestrator.ErrNotFound)
		}
	}
	for _, other := range e.containers {
		switch {
		case other == c || !other.state.Running:
		case sharesPort(other.spec.Ports, c.spec.Ports):
			return orchestrator.ErrPortTaken
		}
	}
	for other := range e.sharing(c.spec.NetworkID) {
		if other != c && other.state.Running && c.spec.IP.IsValid() && other.address(c.spec.NetworkID) == c.spec.IP {
			return fmt.Errorf("address already in use: %w", orchestrator.ErrConflict)
		}
	}
	return nil
}

// publish assigns the requested ports. The caller holds the lock.
func (e *Engine) publish(asked []orchestrator.PortBinding) []orchestrator.PortBinding {
	given := slices.Clone(asked)
	for i := range given {
		if given[i].Host == 0 {
			e.serial++
			given[i].Host = uint16(32768 + e.serial%16384)
		}
	}
	return given
}

func sharesPort(a, b []orchestrator.PortBinding) bool {
	return slices.ContainsFunc(a, func(p orchestrator.PortBinding) bool {
		return slices.ContainsFunc(b, func(q orchestrator.PortBinding) bool { return p.Host == q.Host && p.Host != 0 })
	})
}

// Containers implements orchestrator.Containers. As with the real engine, a listed
// container lacks the details that only an inspection returns.
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
			if found.State.Running {
				found.Ports = slices.Clone(c.published)
			}
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
	found := c.describe()
	found.Limits = orchestrator.Limits{Memory: c.spec.Memory, CPUs: c.spec.CPUs}
	return found, nil
}

func (c *container) describe() orchestrator.Container {
	found := orchestrator.Container{
		ID: c.id, Name: c.spec.Name, Image: c.spec.Image, Labels: maps.Clone(c.spec.Labels), Created: c.created,
		Ports: slices.Clone(c.spec.Ports), State: c.state, Networks: slices.Clone(c.attached),
	}
	for i := range found.Networks {
		if !c.state.Running {
			found.Networks[i].IP = c.fixed(found.Networks[i].Network)
		}
	}
	return found
}

// find returns a container by its ID or name. The caller holds the lock.
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
