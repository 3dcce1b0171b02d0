package enginetest

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// CreateNetwork implements orchestrator.Networks.
func (e *Engine) CreateNetwork(_ context.Context, n orchestrator.NetworkSpec) (string, error) {
	if err := e.fails("CreateNetwork"); err != nil {
		return "", err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, other := range e.networks {
		if other.Name == n.Name {
			return "", fmt.Errorf("create network %s: %w", n.Name, orchestrator.ErrNameTaken)
		}
		for _, subnet := range other.Subnets {
			if subnet.Overlaps(n.Subnet) {
				return "", fmt.Errorf("create network %s: %w", n.Name, orchestrator.ErrSubnetOverlap)
			}
		}
	}
	id := e.id()
	e.networks[id] = &orchestrator.Network{
		ID: id, Name: n.Name, Subnets: []netip.Prefix{n.Subnet}, Created: e.now(), Labels: maps.Clone(n.Labels),
	}
	return id, nil
}

// RemoveNetwork implements orchestrator.Networks.
func (e *Engine) RemoveNetwork(_ context.Context, id string) error {
	if err := e.fails("RemoveNetwork"); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.containers {
		if c.spec.NetworkID == id && c.state.Running {
			return fmt.Errorf("network %s has container %s: %w", id, c.spec.Name, orchestrator.ErrConflict)
		}
	}
	delete(e.networks, id)
	return nil
}

// Networks implements orchestrator.Networks.
func (e *Engine) Networks(_ context.Context, labels map[string]string) ([]orchestrator.Network, error) {
	if err := e.fails("Networks"); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []orchestrator.Network
	for _, n := range e.networks {
		if carries(n.Labels, labels) {
			found := *n
			found.Labels = maps.Clone(n.Labels)
			for _, c := range e.containers {
				if c.spec.NetworkID == n.ID && c.state.Running {
					found.Containers++
				}
			}
			list = append(list, found)
		}
	}
	slices.SortFunc(list, func(a, b orchestrator.Network) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// address is the container's fixed one, or the first behind the gateway that is
// free. Its caller holds the lock.
func (e *Engine) address(c *container) netip.Addr {
	if c.spec.IP.IsValid() {
		return c.spec.IP
	}
	n := e.networks[c.spec.NetworkID]
	if n == nil {
		return netip.Addr{}
	}
	taken := map[netip.Addr]bool{}
	for _, other := range e.containers {
		taken[other.ip] = true
	}
	for ip := n.Subnets[0].Addr().Next().Next(); n.Subnets[0].Contains(ip); ip = ip.Next() {
		if !taken[ip] {
			return ip
		}
	}
	return netip.Addr{}
}
