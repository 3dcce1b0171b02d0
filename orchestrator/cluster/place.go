package cluster

import (
	"context"
	"errors"
	"fmt"

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
	if err != nil && !errors.Is(err, orchestrator.ErrHostLost) {
		return fmt.Errorf("list containers: %w", err)
	}
	if s.taken == nil {
		s.taken = map[uint16]string{}
	}
	for _, other := range containers {
		for _, port := range append(manifest.PortsOf(other.Labels), manifest.HostPorts(other.Ports)...) {
			s.taken[port] = "container " + other.Name
		}
	}
	return nil
}

// holdPorts chooses and reserves the host ports of one node, from base on. On a remote
// engine no port can be reserved: the engine refuses a port in use at the start. The ports of one
// that is reached through a tunnel are also ports of this machine, and reserved here.
func (s *site) holdPorts(at *slot, base int) error {
	at.Ports, at.held, at.fixed = nil, nil, false
	info := s.engineOf(at)
	elsewhere := remote(info)
	if !s.direct && s.spec.Distribution.Port == 0 {
		return orchestrator.WithHint(errors.New("the nodes' distribution ports are known to their EPMD alone, and container addresses cannot be reached from here to ask it"),
			"fix the port in the VM (-kernel inet_dist_listen_min 9100 inet_dist_listen_max 9100), and say so: %s",
			hint.Setting("distribution.epmd: true", "distribution.port: 9100"))
	}
	for _, p := range manifest.Published(s.spec, at.index, s.direct) {
		var held *network.Reservation
		var err error
		if p.Host != 0 {
			at.fixed = true
			if owner, ok := s.taken[uint16(p.Host)]; ok {
				return &network.PortTakenError{Port: uint16(p.Host), Holder: owner}
			}
			held, err = hold(uint16(p.Host), elsewhere)
		} else {
			held, err = s.holdFree(base, elsewhere)
		}
		if err != nil {
			return err
		}
		at.held = append(at.held, held)
		at.Ports = append(at.Ports, orchestrator.PortBinding{Container: uint16(p.Container), HostIP: manifest.PublishAddress(info), Host: held.Port()})
		s.taken[held.Port()] = s.spec.Names().Container(s.spec.Nodes[at.index].Name)
	}
	return nil
}

// engineOf returns the engine of a slot's host.
func (s *site) engineOf(at *slot) orchestrator.EngineInfo {
	return manifest.EngineOf(at.on(s.spec), at.index, s.info)
}

// remote reports whether an engine's ports are those of another machine.
func remote(info orchestrator.EngineInfo) bool { return !info.Local && !info.Tunnelled }

func hold(port uint16, elsewhere bool) (*network.Reservation, error) {
	if elsewhere {
		return network.Elsewhere(port), nil
	}
	return network.Hold(network.DefaultHostIP, port)
}

// holdAgain reserves the ports that a node has, which it then keeps.
func (s *site) holdAgain(at *slot) error {
	at.releasePorts()
	at.fixed = true
	info := s.engineOf(at)
	for _, p := range at.Ports {
		held, err := hold(p.Host, remote(info))
		if err != nil {
			return err
		}
		at.held = append(at.held, held)
	}
	return nil
}

func (s *site) holdFree(base int, elsewhere bool) (*network.Reservation, error) {
	held, err := network.Reserve(network.PortRange{Base: base, Elsewhere: elsewhere}, 1, s.taken)
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
	if s == nil {
		return // nothing was placed
	}
	for _, at := range s.slots {
		at.releasePorts()
	}
}
