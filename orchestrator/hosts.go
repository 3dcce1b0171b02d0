package orchestrator

import (
	"maps"
	"slices"
)

// HostSpec is a machine that runs nodes. Its engine is found by Context or Host.
type HostSpec struct {
	// Context is a context of the docker command.
	Context string `json:"context,omitempty" file:",one"`
	// Host is the address of the engine: tcp://10.0.0.7:2376, ssh://build@big2.
	Host string `json:"host,omitempty" file:",one"`
	// TLS is a folder with ca.pem, cert.pem and key.pem for the engine's address.
	//
	// In beamyard.yml: the folder is relative to this file.
	TLS string `json:"tls,omitempty"`
	// Address is an IP address of the machine, at which the ports of its nodes are published
	// and dialled. Default: that of a tcp:// address, and 127.0.0.1 for an engine on this
	// machine and for an ssh:// address, whose ports are tunnelled.
	Address string `json:"address,omitempty"`
	// Nodes is the maximum number of nodes on the machine. Default: no limit.
	Nodes int `json:"nodes,omitempty" file:",min=1"`
}

// PlaceMode says how nodes are placed on hosts.
type PlaceMode string

// The modes of [Spec].Place.
const (
	PlaceSpread PlaceMode = "spread"
	PlacePack   PlaceMode = "pack"
)

// placed returns the nodes, each with its host. Nodes that name a host have their place first.
// A node for which no host has room has none.
func (s Spec) placed() []NodeSpec {
	nodes, names, on := slices.Clone(s.Nodes), slices.Sorted(maps.Keys(s.Hosts)), map[string]int{}
	for _, n := range nodes {
		on[n.Host]++
	}
	for i := range nodes {
		if nodes[i].Host != "" {
			continue
		}
		best := ""
		for _, name := range names {
			room := s.Hosts[name].Nodes == 0 || on[name] < s.Hosts[name].Nodes
			if room && (best == "" || s.Place == PlaceSpread && on[name] < on[best]) {
				best = name
			}
		}
		nodes[i].Host = best
		on[best]++
	}
	return nodes
}
