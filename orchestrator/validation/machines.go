package validation

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
)

// machines checks the hosts, and that each node has a place on one.
func (v *validation) machines(s orchestrator.Spec) {
	const like = "hosts: {a: tcp://10.0.0.7:2376, b: {context: big2}}"
	names := slices.Sorted(maps.Keys(s.Hosts))
	for _, name := range names {
		h, field := s.Hosts[name], "hosts."+name
		if network.CheckNode(name) != nil {
			v.add(field, fmt.Sprintf("%q is not a name of a host: lower-case letters, digits and hyphens", name), like)
		}
		switch {
		case (h.Context == "") == (h.Host == ""):
			v.add(field, "a host has either a context or the address of its engine", like)
		case h.Host != "" && !strings.HasPrefix(h.Host, "tcp://") && !strings.HasPrefix(h.Host, "unix://") && !strings.HasPrefix(h.Host, "ssh://"):
			v.add(field+".host", fmt.Sprintf("%q is not the address of an engine", h.Host), "it begins with tcp://, ssh:// or unix://: "+like)
		case h.TLS != "" && !strings.HasPrefix(h.Host, "tcp://"):
			v.add(field+".tls", "only a tcp:// address has TLS; a context has its own", "leave it out")
		}
		if h.Nodes < 0 {
			v.add(field+".nodes", fmt.Sprintf("%d is negative", h.Nodes), "nodes: 4")
		}
		if at, err := netip.ParseAddr(h.Address); h.Address != "" && (err != nil || at.IsUnspecified()) {
			v.add(field+".address", fmt.Sprintf("%q is not an IP address of one machine", h.Address), "address: 10.0.0.7")
		}
	}
	if s.Place != "" && s.Place != orchestrator.PlaceSpread && s.Place != orchestrator.PlacePack {
		v.add("place", fmt.Sprintf("%q is not one of spread, pack", s.Place), "place: spread")
	}
	switch s.OnHostLost {
	case "", orchestrator.HostLostWait:
	case orchestrator.HostLostMove:
		if len(names) < 2 {
			v.add("on_host_lost", "move needs a second host", like)
		}
		if s.Distribution.Names == orchestrator.IPNames {
			v.add("on_host_lost", "a node that moves may get another address, which is part of its name with distribution.names: ip", "on_host_lost: wait")
		}
	default:
		v.add("on_host_lost", fmt.Sprintf("%q is not one of wait, move", s.OnHostLost), "on_host_lost: wait")
	}
	if len(names) == 0 {
		if s.Place != "" || s.Encrypted {
			v.add("hosts", "place and encrypted need hosts", like)
		}
		for i, n := range s.Nodes {
			if n.Host != "" {
				v.add(fmt.Sprintf("nodes[%d].host", i), fmt.Sprintf("%s is not one of the hosts: there are none", n.Host), like)
			}
		}
		return
	}
	if s.Distribution.Inet6 && len(names) > 1 {
		v.add("distribution.inet6", "the network of several hosts has no IPv6", "distribution: {inet6: false}")
	}
	on := map[string]int{}
	for i, n := range s.Nodes {
		h, known := s.Hosts[n.Host]
		on[n.Host]++
		switch field := fmt.Sprintf("nodes[%d].host", i); {
		case n.Host == "":
			v.add(field, "no host has room for "+n.Name, "raise nodes of a host, or add a host")
		case !known:
			v.add(field, fmt.Sprintf("%s is not one of the hosts: %s", n.Host, strings.Join(names, ", ")), like)
		case h.Nodes > 0 && on[n.Host] > h.Nodes:
			v.add(field, fmt.Sprintf("host %s has room for %d nodes", n.Host, h.Nodes), fmt.Sprintf("hosts: {%s: {nodes: %d}}, or another host", n.Host, on[n.Host]))
		}
	}
}
