package manifest

import (
	"slices"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
)

// Status returns what the status of node i has from its spec and its placement: its names, its
// image, its addresses. host is that of [SetPorts].
func Status(s orchestrator.Spec, i int, at orchestrator.Placement, host string) orchestrator.NodeStatus {
	names, node := s.Names(), s.NodeAt(i)
	st := orchestrator.NodeStatus{
		Name: node.Name, Node: names.Node(node.Name), Host: names.Hostname(node.Name), On: node.Host,
		Container: names.Container(node.Name), IP: at.IP,
	}
	if node.Image != s.Image {
		st.Image = node.Image
	}
	SetPorts(&st, s, at.Ports, host)
	return st
}

// SetPorts sets the published ports and the URL. A port published at every address of the
// engine's host is dialled at host.
func SetPorts(st *orchestrator.NodeStatus, s orchestrator.Spec, ports []orchestrator.PortBinding, host string) {
	http := s.Node(st.Name).HTTPPort
	for _, p := range ports {
		at := p.HostIP
		if p.Everywhere() {
			at = host
		}
		if int(p.Container) == http {
			st.HTTPPort = int(p.Host)
			st.URL = "http://" + network.HostPort(at, int(p.Host))
		}
		st.Ports = append(st.Ports, orchestrator.PortStatus{Container: int(p.Container), HostIP: p.HostIP, Host: int(p.Host)})
	}
}

// FixesPort reports whether the user named a host port of node i.
func FixesPort(s orchestrator.Spec, i int) bool {
	n := s.Nodes[i]
	return s.HTTPPort > 0 && n.HostPort != 0 || slices.ContainsFunc(n.Ports, func(p orchestrator.PortSpec) bool { return p.Host != 0 })
}

// Published returns the ports of node i that its engine publishes. If its address cannot be dialled
// directly, those of the distribution and of the checks are among them.
func Published(s orchestrator.Spec, i int, direct bool) []orchestrator.PortSpec {
	ports, node := slices.Clone(s.Nodes[i].Ports), s.NodeAt(i)
	if node.HTTPPort > 0 {
		ports = append([]orchestrator.PortSpec{{Container: node.HTTPPort, Host: node.HostPort}}, ports...)
	}
	if direct {
		return ports
	}
	ports = append(ports, orchestrator.PortSpec{Container: s.Distribution.Port})
	for _, k := range slices.Concat(node.Ready, node.Checks) {
		published := slices.ContainsFunc(ports, func(p orchestrator.PortSpec) bool { return p.Container == k.Port })
		if k.Port != 0 && !published {
			ports = append(ports, orchestrator.PortSpec{Container: k.Port})
		}
	}
	return ports
}
