package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file assigns addresses and host ports to nodes.

// place assigns every node its address and its host ports.
func (c *Cluster) place(ctx context.Context, s *site) error {
	if err := c.takenPorts(ctx, s); err != nil {
		return err
	}
	for i, n := range s.spec.Nodes {
		at := &slot{index: i}
		at.IP = s.subnet.Node(i)
		s.slots[n.Name] = at
		if err := s.holdPorts(at, s.spec.HostPort); err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	return nil
}

// takenPorts finds the host ports of all containers, running or not.
func (c *Cluster) takenPorts(ctx context.Context, s *site) error {
	containers, err := c.eng.Containers(ctx, nil)
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	if s.taken == nil {
		s.taken = map[uint16]string{}
	}
	for _, other := range containers {
		for _, port := range append(orchestrator.PortsOf(other.Labels), manifest.HostPorts(other.Ports)...) {
			s.taken[port] = "container " + other.Name
		}
	}
	return nil
}

// holdPorts chooses and reserves the host ports of one node, from base on. On a remote
// engine no port can be reserved: the engine refuses a port in use at the start.
func (s *site) holdPorts(at *slot, base int) error {
	at.Ports, at.held, at.fixed = nil, nil, false
	want := slices.Clone(s.spec.Nodes[at.index].Ports)
	node := s.spec.NodeAt(at.index)
	if node.HTTPPort > 0 {
		want = append([]orchestrator.PortSpec{{Container: node.HTTPPort, Host: node.HostPort}}, want...)
	}
	if !s.direct && s.spec.Distribution.Port == 0 {
		return orchestrator.WithHint(errors.New("the nodes' distribution ports are known to their EPMD alone, and container addresses cannot be reached from here to ask it"),
			"fix the port in the VM (-kernel inet_dist_listen_min 9100 inet_dist_listen_max 9100), and say so: %s",
			hint.Setting("distribution.epmd: true", "distribution.port: 9100"))
	}
	if !s.direct {
		want = append(want, orchestrator.PortSpec{Container: s.spec.Distribution.Port})
		for _, k := range slices.Concat(node.Ready, node.Checks) {
			published := slices.ContainsFunc(want, func(p orchestrator.PortSpec) bool { return p.Container == k.Port })
			if k.Port != 0 && !published {
				want = append(want, orchestrator.PortSpec{Container: k.Port})
			}
		}
	}
	for _, p := range want {
		var held *network.Reservation
		var err error
		if p.Host != 0 {
			at.fixed = true
			if owner, ok := s.taken[uint16(p.Host)]; ok {
				return &network.PortTakenError{Port: uint16(p.Host), Holder: owner}
			}
			held, err = s.hold(uint16(p.Host))
		} else {
			held, err = s.holdFree(base)
		}
		if err != nil {
			return err
		}
		at.held = append(at.held, held)
		at.Ports = append(at.Ports, orchestrator.PortBinding{Container: uint16(p.Container), HostIP: manifest.PublishOn(s.spec, at.index, s.info), Host: held.Port()})
		s.taken[held.Port()] = s.spec.Names().Container(s.spec.Nodes[at.index].Name)
	}
	return nil
}

func (s *site) hold(port uint16) (*network.Reservation, error) {
	if !s.info.Local {
		return network.Elsewhere(port), nil
	}
	return network.Hold(s.hostIP, port)
}

// holdAgain reserves the ports that a node has, which it then keeps.
func (s *site) holdAgain(at *slot) error {
	at.releasePorts()
	at.fixed = true
	for _, p := range at.Ports {
		held, err := s.hold(p.Host)
		if err != nil {
			return err
		}
		at.held = append(at.held, held)
	}
	return nil
}

func (s *site) holdFree(base int) (*network.Reservation, error) {
	held, err := network.Reserve(network.PortRange{HostIP: s.hostIP, Base: base, Elsewhere: !s.info.Local}, 1, s.taken)
	if err != nil {
		return nil, err
	}
	return held[0], nil
}

// releasePorts releases the reserved ports, right before the engine binds them.
func (at *slot) releasePorts() {
	for _, h := range at.held {
		_ = h.Release() // a listener that does not close keeps its port, and the engine then reports it
	}
	at.held = nil
}

func (s *site) release() {
	for _, at := range s.slots {
		at.releasePorts()
	}
}
