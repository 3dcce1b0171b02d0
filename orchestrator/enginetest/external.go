package enginetest

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// These methods act like another client of the engine, on its own machine: they also work while
// the engine is away ([Engine.SetAway]), except for a start and a pause. Containers are given by
// name. An action on an unknown container does nothing.

// ExternalStart is `docker start`.
func (e *Engine) ExternalStart(name string) { _ = e.StartContainer(context.Background(), name) }

// ExternalStop is `docker stop`, with its stop timeout of 10 s.
func (e *Engine) ExternalStop(name string) {
	if stopped, err := e.stop(name, 10*time.Second); err == nil {
		<-stopped
	}
}

// ExternalKill is `docker kill -s SIGNAL`.
func (e *Engine) ExternalKill(name, signal string) {
	_ = e.killNamed(name, signal)
}

// ExternalRemove is `docker rm -f`.
func (e *Engine) ExternalRemove(name string) { e.remove(name) }

// Pause is `docker pause`. The program continues to run.
func (e *Engine) Pause(name string) { _ = e.PauseContainer(context.Background(), name) }

// Unpause is `docker unpause`.
func (e *Engine) Unpause(name string) { _ = e.UnpauseContainer(context.Background(), name) }

// Aliases returns a container's aliases in a network. Both are given by name.
func (e *Engine) Aliases(container, network string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(container)
	if err != nil {
		return nil
	}
	for _, a := range c.attached {
		if a.Name == network {
			return slices.Clone(c.aliases[a.Network])
		}
	}
	return nil
}

// Relabel replaces the owner in the labels of all containers and networks of a cluster,
// as if another process had created them.
func (e *Engine) Relabel(cluster string, owner orchestrator.Owner) {
	e.mu.Lock()
	defer e.mu.Unlock()
	text, err := json.Marshal(owner)
	if err != nil {
		panic(err) // plain data
	}
	for n := range e.attachable() {
		if n.Labels[orchestrator.LabelCluster] == cluster {
			n.Labels[orchestrator.LabelOwner] = string(text)
		}
	}
	for _, c := range e.containers {
		if c.spec.Labels[orchestrator.LabelCluster] == cluster {
			c.spec.Labels[orchestrator.LabelOwner] = string(text)
		}
	}
}

// OOM kills the container's main process, as the kernel does when the container is out of
// memory.
func (e *Engine) OOM(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(name)
	if err != nil || !c.state.Running {
		return
	}
	c.state.OOMKilled = true
	e.emit(c, "oom")
	e.exited(c, c.process, 137)
}

// Left returns the names of all containers and networks, for a test that expects none.
func (e *Engine) Left() []string {
	var names []string
	containers, _ := e.Containers(context.Background(), nil)
	for _, c := range containers {
		names = append(names, "container "+c.Name)
	}
	networks, _ := e.Networks(context.Background(), nil)
	for _, n := range networks {
		names = append(names, "network "+n.Name)
	}
	return names
}
