package orchestrator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/placement"
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

// HostLostMode says what the loss of a host means for its nodes.
type HostLostMode string

// The modes of [Spec].OnHostLost.
const (
	HostLostWait HostLostMode = "wait"
	HostLostMove HostLostMode = "move"
)

// MoveAfter is how long a host has not answered before its nodes are moved to another one.
const MoveAfter = time.Minute

// placed returns the nodes, each with its host. Nodes that name a host have their place first.
// A node for which no host has room has none.
func (s Spec) placed() []NodeSpec {
	nodes, on, room := slices.Clone(s.Nodes), make([]string, len(s.Nodes)), map[string]int{}
	for i, n := range nodes {
		on[i] = n.Host
	}
	for name, h := range s.Hosts {
		room[name] = h.Nodes
	}
	for i, host := range placement.Place(on, room, s.Place == PlacePack) {
		nodes[i].Host = host
	}
	return nodes
}

// On returns the spec, with the hosts that its nodes run on: they may have been moved.
func (s Spec) On(nodes []NodeStatus) Spec {
	s.Nodes = slices.Clone(s.Nodes)
	for _, n := range nodes {
		if i := s.Index(n.Name); i >= 0 && n.On != "" {
			s.Nodes[i].Host = n.On
		}
	}
	return s
}

// OnHost begins the name that stands for all nodes on a host: "@host:a". See [Spec.NodesOf].
const OnHost = "@host:"

// Machines returns the names of the hosts, sorted; nil if the cluster has none.
func (s Spec) Machines() []string { return slices.Sorted(maps.Keys(s.Hosts)) }

// noNodeOn returns the error for a host that has no node.
func (s Spec) noNodeOn(host string) error {
	hosts := s.Machines()
	switch {
	case len(hosts) == 0:
		return WithHint(fmt.Errorf("%w: cluster %s has no hosts", ErrNoNode, s.Name), "hosts are in hosts: of beamyard.yml; name nodes: %s", s.Choice("", ""))
	case slices.Contains(hosts, host):
		return WithHint(fmt.Errorf("%w on host %s", ErrNoNode, host), "%s", hint.Status.On(s.Name))
	}
	return WithHint(fmt.Errorf("%w: host %s is unknown", ErrNoNode, host), "%shosts: %s", didYouMean(host, hosts), strings.Join(hosts, ", "))
}
