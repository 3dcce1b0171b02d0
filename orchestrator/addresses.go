package orchestrator

import (
	"net/netip"

	"github.com/beamyard/beamyard/network"
)

// This file knows the nodes by their addresses. Those follow from the cluster's subnet,
// which its network is labelled with: any process finds the same.

// address of node i, "" before the cluster has a subnet.
func (s Spec) address(i int) string {
	if a := network.Layout(s.Subnet).Node(i); a.IsValid() {
		return a.String()
	}
	return ""
}

// addresses are those of the nodes that have theirs in their BEAM names. Before there is
// a subnet none has.
func (s Spec) addresses() map[string]netip.Addr {
	if s.Distribution.Names != IPNames || !s.Subnet.IsValid() {
		return nil
	}
	subnet, addresses := network.Layout(s.Subnet), make(map[string]netip.Addr, len(s.Nodes))
	for i, n := range s.Nodes {
		addresses[n.Name] = subnet.Node(i)
	}
	return addresses
}

// names of the cluster's things, once it has a place.
func (c *Cluster) names() network.Names {
	if c.site != nil {
		return c.site.spec.names()
	}
	return c.spec.names()
}
