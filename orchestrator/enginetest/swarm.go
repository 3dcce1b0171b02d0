package enginetest

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"net/netip"

	"github.com/beamyard/beamyard/orchestrator"
)

// swarm is what joined engines share. Their common lock guards it.
type swarm struct {
	members  []*Engine // the first is the manager
	overlays map[string]*orchestrator.Network
}

// Join makes new engines the members of one swarm. The first is its manager. Their overlay
// networks share addresses: a fixed address that a container has on one engine is taken on
// the others.
func Join(engines ...*Engine) {
	s := &swarm{members: engines, overlays: map[string]*orchestrator.Network{}}
	for i, e := range engines {
		e.swarm, e.number, e.mu = s, i, engines[0].mu
	}
}

func (e *Engine) manages() bool { return e.swarm != nil && e.number == 0 }

// membership returns what the engine reports of its swarm. The caller holds the lock.
func (e *Engine) membership() orchestrator.SwarmInfo {
	if e.swarm == nil {
		return orchestrator.SwarmInfo{}
	}
	node := func(e *Engine) string { return fmt.Sprintf("node-%d", e.number) }
	info := orchestrator.SwarmInfo{Node: node(e), Manager: e.manages()}
	if info.Manager {
		for _, m := range e.swarm.members {
			info.Members = append(info.Members, node(m))
		}
	}
	return info
}

// CreateOverlay creates an attachable overlay network of the swarm. An engine that does not
// manage one fails with [orchestrator.ErrNoSwarm].
func (e *Engine) CreateOverlay(_ context.Context, n orchestrator.NetworkSpec, _ bool) (string, error) {
	if err := e.fails("CreateOverlay"); err != nil {
		return "", err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.manages() {
		return "", fmt.Errorf("create network %s: %w", n.Name, orchestrator.ErrNoSwarm)
	}
	made, err := e.newNetwork(n)
	if err != nil {
		return "", err
	}
	e.swarm.overlays[made.ID] = made
	return made.ID, nil
}

// overlay returns a network of the swarm, or nil.
func (e *Engine) overlay(id string) *orchestrator.Network {
	if e.swarm == nil {
		return nil
	}
	return e.swarm.overlays[id]
}

// removeOverlay removes a network of the swarm. The caller holds the lock.
func (e *Engine) removeOverlay(n *orchestrator.Network) error {
	if !e.manages() {
		return fmt.Errorf("remove network %s: %w", n.ID, orchestrator.ErrNoSwarm)
	}
	for c := range e.sharing(n.ID) {
		if c.in(n.ID) && c.state.Running {
			return fmt.Errorf("network %s is in use by container %s: %w", n.ID, c.spec.Name, orchestrator.ErrConflict)
		}
	}
	delete(e.swarm.overlays, n.ID)
	return nil
}

// network returns a network that a container of this engine can be attached to, or nil. The
// caller holds the lock.
func (e *Engine) network(id string) *orchestrator.Network {
	if n := e.overlay(id); n != nil {
		return n
	}
	return e.networks[id]
}

// visible are the networks that the engine lists: a worker lists an overlay network only
// while one of its containers uses it. The caller holds the lock.
func (e *Engine) visible() iter.Seq[*orchestrator.Network] {
	return func(yield func(*orchestrator.Network) bool) {
		for _, n := range e.networks {
			if !yield(n) {
				return
			}
		}
		for n := range e.overlays() {
			if (e.manages() || e.uses(n.ID)) && !yield(n) {
				return
			}
		}
	}
}

// attachable are the networks that a container can be attached to: those of the engine, and
// every overlay network of its swarm. The caller holds the lock.
func (e *Engine) attachable() iter.Seq[*orchestrator.Network] {
	return func(yield func(*orchestrator.Network) bool) {
		for _, n := range e.networks {
			if !yield(n) {
				return
			}
		}
		e.overlays()(yield)
	}
}

func (e *Engine) overlays() iter.Seq[*orchestrator.Network] {
	if e.swarm == nil {
		return func(func(*orchestrator.Network) bool) {}
	}
	return maps.Values(e.swarm.overlays)
}

func (e *Engine) uses(network string) bool {
	for _, c := range e.containers {
		if c.state.Running && c.in(network) {
			return true
		}
	}
	return false
}

// sharing are the containers that take their addresses from a network: for an overlay those
// of every member. The caller holds the lock.
func (e *Engine) sharing(network string) iter.Seq[*container] {
	if e.overlay(network) == nil {
		return maps.Values(e.containers)
	}
	return func(yield func(*container) bool) {
		for _, m := range e.swarm.members {
			for _, c := range m.containers {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// rangeOf returns the range of a network's dynamic addresses, if it has one. The caller holds
// the lock.
func (e *Engine) rangeOf(network string) (netip.Prefix, bool) {
	owner := e
	if e.overlay(network) != nil {
		owner = e.swarm.members[0]
	}
	free, limited := owner.ranges[network]
	return free, limited
}
