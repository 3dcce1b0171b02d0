package hosts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// home returns the host that networks are created on, and containers that need no other: the
// first one that manages the swarm and answers. A single host is its own.
func (e *Engine) home(ctx context.Context) (*host, error) {
	if len(e.hosts) == 1 {
		return e.hosts[0], nil
	}
	infos, err := each(ctx, e, func(ctx context.Context, h *host) (orchestrator.SwarmInfo, error) {
		info, err := h.Info(ctx)
		return info.Swarm, err
	})
	for _, a := range infos {
		if a.value.Manager {
			return a.host, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return nil, orchestrator.WithHint(fmt.Errorf("none of the hosts %s manages a swarm: %w", e.names(), orchestrator.ErrNoSwarm),
		"%s", hint.Machines.With("init"))
}

func (e *Engine) names() string {
	var names []string
	for _, h := range e.hosts {
		names = append(names, h.name)
	}
	return strings.Join(names, ", ")
}

// joined checks that all hosts are members of the manager's swarm: a network of another swarm
// has the same name there and connects nothing.
func (e *Engine) joined(ctx context.Context, manager *host) error {
	infos, err := each(ctx, e, func(ctx context.Context, h *host) (orchestrator.SwarmInfo, error) {
		info, err := h.Info(ctx)
		return info.Swarm, err
	})
	if err != nil {
		return err
	}
	var members []string
	for _, a := range infos {
		if a.host == manager {
			members = a.value.Members
		}
	}
	for _, a := range infos {
		if !slices.Contains(members, a.value.Node) {
			return orchestrator.WithHint(fmt.Errorf("host %s is not in the swarm of host %s: %w", a.name, manager.name, orchestrator.ErrNoSwarm),
				"%s", hint.Machines.With("join", a.name))
		}
	}
	return nil
}

// CreateNetwork implements orchestrator.Networks: an attachable overlay network, or a bridge if
// there is one host. Every host must answer, so that the subnet overlaps with none of theirs. An
// overlay network with IPv6 matches [orchestrator.ErrNoIPv6]: Swarm creates it, and never gives it
// an address (26.1).
func (e *Engine) CreateNetwork(ctx context.Context, n orchestrator.NetworkSpec) (string, error) {
	manager, err := e.home(ctx)
	if err != nil {
		return "", err
	}
	if len(e.hosts) == 1 {
		id, err := manager.CreateNetwork(ctx, n)
		return id, manager.failed(err)
	}
	if n.IPv6.IsValid() {
		return "", orchestrator.WithHint(fmt.Errorf("create network %s over several hosts: %w", n.Name, orchestrator.ErrNoIPv6), "set %s", hint.Setting("distribution.inet6: false"))
	}
	if err := e.joined(ctx, manager); err != nil {
		return "", err
	}
	taken, err := e.Networks(ctx, nil)
	if err != nil {
		return "", err
	}
	for _, other := range taken {
		if other.Name == n.Name {
			return "", fmt.Errorf("create network %s: %w", n.Name, orchestrator.ErrNameTaken)
		}
		for _, subnet := range other.Subnets {
			if subnet.Overlaps(n.Subnet) {
				return "", fmt.Errorf("create network %s: network %s has %s: %w", n.Name, other.Name, subnet, orchestrator.ErrSubnetOverlap)
			}
		}
	}
	id, err := manager.CreateOverlay(ctx, n, e.opts.Encrypted)
	return id, manager.failed(err)
}

// ConnectNetwork implements orchestrator.Networks. A worker that does not list an overlay network
// can attach to it. The host is given the network's ID: a container that does not run would count
// an overlay's ID and its name as two networks, and not start.
func (e *Engine) ConnectNetwork(ctx context.Context, network, container string, aliases []string) error {
	h, err := e.hostOf(ctx, container)
	if err != nil {
		return err
	}
	all, err := e.Networks(ctx, nil)
	i := slices.IndexFunc(all, func(n orchestrator.Network) bool { return n.ID == network || n.Name == network })
	switch {
	case i >= 0:
		return h.failed(h.ConnectNetwork(ctx, all[i].ID, container, aliases))
	case err != nil:
		return err
	}
	return fmt.Errorf("network %s: %w", network, orchestrator.ErrNotFound)
}

// DisconnectNetwork implements orchestrator.Networks.
func (e *Engine) DisconnectNetwork(ctx context.Context, network, container string) error {
	err := e.on(ctx, container, func(h *host) error { return h.DisconnectNetwork(ctx, network, container) })
	if errors.Is(err, orchestrator.ErrNotFound) {
		return nil
	}
	return err
}

// RemoveNetwork implements orchestrator.Networks. An overlay network is removed by its manager,
// and another one by each host that has it. A swarm forgets a network at once, and its members
// remove it a little later: RemoveNetwork waits for them.
func (e *Engine) RemoveNetwork(ctx context.Context, id string) error {
	has, err := e.having(ctx, id)
	refused := err
	for _, h := range has {
		err := h.RemoveNetwork(ctx, id)
		if err == nil {
			return e.awaitRemoval(ctx, id)
		}
		if refused == nil || errors.Is(refused, orchestrator.ErrNoSwarm) {
			refused = h.failed(err) // a worker's refusal says less than a manager's
		}
	}
	return refused
}

// having returns the hosts that list a network.
func (e *Engine) having(ctx context.Context, id string) (has []*host, err error) {
	lists, err := each(ctx, e, func(ctx context.Context, h *host) ([]orchestrator.Network, error) {
		return h.Networks(ctx, nil)
	})
	for _, a := range lists {
		if slices.ContainsFunc(a.value, func(n orchestrator.Network) bool { return n.ID == id }) {
			has = append(has, a.host)
		}
	}
	return has, err
}

// removalTime is how long the members of a swarm may take to remove a network that it forgot.
const removalTime = 15 * time.Second

// awaitRemoval waits until no host that answers lists the network.
func (e *Engine) awaitRemoval(ctx context.Context, id string) error {
	for begin := time.Now(); ; {
		has, err := e.having(ctx, id)
		if err != nil && !errors.Is(err, orchestrator.ErrHostLost) {
			return err
		}
		if len(has) == 0 {
			return nil
		}
		if time.Since(begin) > removalTime {
			return fmt.Errorf("the swarm has removed network %s, and host %s still lists it: %w", id, has[0].name, orchestrator.ErrConflict)
		}
		if !wait.Sleep(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// Networks implements orchestrator.Networks. An overlay network is listed once; the number of its
// containers is that of all hosts. With a [MissingError], the networks of the other hosts are
// listed.
func (e *Engine) Networks(ctx context.Context, labels map[string]string) ([]orchestrator.Network, error) {
	answers, err := each(ctx, e, func(ctx context.Context, h *host) ([]orchestrator.Network, error) {
		ahead, err := h.offset(ctx)
		if err != nil {
			return nil, err
		}
		list, err := h.Networks(ctx, labels)
		for i := range list {
			list[i].Created = ours(list[i].Created, ahead)
		}
		return list, err
	})
	var all []orchestrator.Network
	for _, a := range answers {
		for _, n := range a.value {
			if i := slices.IndexFunc(all, func(o orchestrator.Network) bool { return o.ID == n.ID }); i >= 0 {
				all[i].Containers += n.Containers
				continue
			}
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b orchestrator.Network) int { return cmp.Compare(a.ID, b.ID) })
	return all, err
}
