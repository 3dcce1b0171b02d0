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
	made, err := e.newNetwork(n)
	if err != nil {
		return "", err
	}
	e.networks[made.ID] = made
	return made.ID, nil
}

// newNetwork returns a network with a free name and subnet. The caller holds the lock.
func (e *Engine) newNetwork(n orchestrator.NetworkSpec) (*orchestrator.Network, error) {
	for other := range e.visible() {
		if other.Name == n.Name {
			return nil, fmt.Errorf("create network %s: %w", n.Name, orchestrator.ErrNameTaken)
		}
		for _, subnet := range other.Subnets {
			if subnet.Overlaps(n.Subnet) {
				return nil, fmt.Errorf("create network %s: %w", n.Name, orchestrator.ErrSubnetOverlap)
			}
		}
	}
	id := e.id()
	if n.IPRange.IsValid() {
		e.ranges[id] = n.IPRange
	}
	subnets := []netip.Prefix{n.Subnet}
	if n.IPv6.IsValid() {
		subnets = append(subnets, n.IPv6)
	}
	return &orchestrator.Network{
		ID: id, Name: n.Name, Subnets: subnets, Created: e.now(), Labels: maps.Clone(n.Labels),
	}, nil
}

// ConnectNetwork implements orchestrator.Networks.
func (e *Engine) ConnectNetwork(_ context.Context, network, id string, aliases []string) error {
	if err := e.fails("ConnectNetwork"); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return err
	}
	for n := range e.attachable() {
		if n.ID != network && n.Name != network {
			continue
		}
		if c.in(n.ID) && c.state.Running {
			return fmt.Errorf("connect container %s to network %s, where it is already: %w", c.spec.Name, n.Name, orchestrator.ErrConflict)
		}
		c.join(n, aliases)
		for i := range c.attached {
			if c.attached[i].Network == n.ID && c.state.Running {
				c.attached[i].IP = e.address(c, n.ID)
			}
		}
		return nil
	}
	return fmt.Errorf("connect container %s to network %s: %w", c.spec.Name, network, orchestrator.ErrNotFound)
}

// DisconnectNetwork implements orchestrator.Networks.
func (e *Engine) DisconnectNetwork(_ context.Context, network, id string) error {
	if err := e.fails("DisconnectNetwork"); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if c, err := e.find(id); err == nil {
		c.attached = slices.DeleteFunc(slices.Clone(c.attached), func(a orchestrator.Attachment) bool { return a.Network == network || a.Name == network })
	}
	return nil
}

// join attaches the container to the network.
func (c *container) join(n *orchestrator.Network, aliases []string) {
	c.aliases[n.ID] = slices.Clone(aliases)
	if c.in(n.ID) {
		return
	}
	c.attached = append(c.attached, orchestrator.Attachment{Network: n.ID, Name: n.Name, Visitor: slices.Contains(aliases, orchestrator.VisitorAlias)})
	slices.SortFunc(c.attached, func(a, b orchestrator.Attachment) int { return strings.Compare(a.Name, b.Name) })
}

func (c *container) in(network string) bool {
	return slices.ContainsFunc(c.attached, func(a orchestrator.Attachment) bool { return a.Network == network })
}

// address returns the address of the present run, or of the last one.
func (c *container) address(network string) netip.Addr {
	return orchestrator.Container{Networks: c.attached}.Address(network)
}

// fixed returns the requested address, if any.
func (c *container) fixed(network string) netip.Addr {
	if network == c.spec.NetworkID {
		return c.spec.IP
	}
	return netip.Addr{}
}

// RemoveNetwork implements orchestrator.Networks.
func (e *Engine) RemoveNetwork(_ context.Context, id string) error {
	if err := e.fails("RemoveNetwork"); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := e.overlay(id); n != nil {
		return e.removeOverlay(n)
	}
	for _, c := range e.containers {
		if c.in(id) && c.state.Running {
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
	for n := range e.visible() {
		if carries(n.Labels, labels) {
			found := *n
			found.Labels = maps.Clone(n.Labels)
			for _, c := range e.containers {
				if c.in(n.ID) && c.state.Running {
					found.Containers++
				}
			}
			list = append(list, found)
		}
	}
	slices.SortFunc(list, func(a, b orchestrator.Network) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// address returns the container's fixed address in a network, or the first free one after
// the gateway. The caller holds the lock.
func (e *Engine) address(c *container, network string) netip.Addr {
	if ip := c.fixed(network); ip.IsValid() {
		return ip
	}
	n := e.network(network)
	if n == nil {
		return netip.Addr{}
	}
	taken := map[netip.Addr]bool{}
	for other := range e.sharing(network) {
		if other != c {
			taken[other.address(network)] = true
		}
	}
	first, within := n.Subnets[0].Addr().Next().Next(), n.Subnets[0]
	if free, limited := e.rangeOf(network); limited { // from where on addresses are assigned
		first, within = free.Addr(), free
	}
	for ip := first; within.Contains(ip); ip = ip.Next() {
		if !taken[ip] {
			return ip
		}
	}
	return netip.Addr{}
}
