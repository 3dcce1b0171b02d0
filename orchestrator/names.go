package orchestrator

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network"
)

// Address returns the address of node i, or "" before the cluster has a subnet.
func (s Spec) Address(i int) string {
	if a := network.Layout(s.Subnet).Node(i); a.IsValid() {
		return a.String()
	}
	return ""
}

// addresses returns the nodes' addresses, by name, if BEAM names hold addresses and the
// cluster has a subnet; otherwise nil.
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

// didYouMean returns the start of a hint that suggests the most similar known name.
func didYouMean(name string, known []string) string {
	if best := network.Nearest(name, known); best != "" {
		return "did you mean " + best + "? "
	}
	return ""
}

// NoNode returns the error for a name that does not name one node: it is unknown, or
// names a role or a host.
func (s Spec) NoNode(name string) error {
	host, onHost := strings.CutPrefix(name, OnHost)
	switch nodes := s.named(name); {
	case onHost && len(nodes) > 0:
		return WithHint(fmt.Errorf("%w: %s is a host", ErrNoNode, host), "name one of its nodes: %s", strings.Join(nodes, ", "))
	case onHost:
		return s.noNodeOn(host)
	case len(nodes) > 0:
		return WithHint(fmt.Errorf("%w: %s is a role", ErrNoNode, name), "name one of its nodes: %s", strings.Join(nodes, ", "))
	}
	return WithHint(fmt.Errorf("%w: %s", ErrNoNode, name), "%s", s.Choice(name, "cluster "+s.Name+" has "))
}

// Names returns the names of the cluster's objects.
func (s Spec) Names() network.Names {
	return network.Names{Cluster: s.Name, Base: s.Basename, Domain: s.Domain, Short: s.Distribution.Names == ShortNames, Addresses: s.addresses()}
}

// NodeAt returns node i, with unset fields filled from its cluster.
func (s Spec) NodeAt(i int) NodeSpec {
	n := s.Nodes[i]
	n.MixEnv = cmp.Or(s.DeclaredMixEnvOf(n), s.MixEnvFor(s.ImageEnvAt(i)))
	if len(n.Entrypoint) == 0 && n.Release == nil {
		n.Entrypoint = s.Entrypoint
		if len(n.Command) == 0 {
			n.Command = s.Command
		}
	}
	setDefault(&n.Image, s.Image)
	setDefault(&n.User, s.User)
	setDefault(&n.Memory, s.Memory)
	setDefault(&n.CPUs, s.CPUs)
	n.Env = over(s.Env, n.Env)
	n.Volumes = over(s.Volumes, n.Volumes)
	n.Tmpfs = slices.Concat(s.Tmpfs, n.Tmpfs)
	n.Networks = over(s.Networks, n.Networks)
	n.ExtraHosts = over(s.ExtraHosts, n.ExtraHosts)
	return s.filledRole(n)
}

// portByEPMD reports whether the nodes choose their distribution ports and register them
// with EPMD: each has a custom command that is not given a port.
func (s Spec) portByEPMD() bool {
	if !s.Distribution.EPMD {
		return false
	}
	given := func(text string) bool { return strings.Contains(text, "{dist_port}") }
	for i := range s.Nodes {
		n := s.NodeAt(i)
		if s.RunsRelease(n) || len(n.Command)+len(n.Entrypoint) == 0 || slices.ContainsFunc(slices.Concat(n.Command, n.Entrypoint, slices.Collect(maps.Values(n.Env))), given) {
			return false
		}
	}
	return true
}

// over merges two maps; values of upper take precedence.
func over[V any](lower, upper map[string]V) map[string]V {
	both := map[string]V{}
	maps.Copy(both, lower)
	maps.Copy(both, upper)
	return both
}

// IsCommandOfImage reports whether a command is [CommandOfImage].
func IsCommandOfImage(command []string) bool {
	return len(command) == 1 && command[0] == CommandOfImage
}

// HasDockerfile reports whether the node has its own settings for a Dockerfile build.
func (n NodeSpec) HasDockerfile() bool {
	return n.Dockerfile != "" || n.Target != "" || len(n.Args) > 0
}

// DeclaredMixEnv returns MIX_ENV as set in the spec, or "".
func (s Spec) DeclaredMixEnv() string { return cmp.Or(s.MixEnv, s.Env["MIX_ENV"]) }

// DeclaredMixEnvOf returns MIX_ENV as set in the spec for a node, or "".
func (s Spec) DeclaredMixEnvOf(n NodeSpec) string {
	return cmp.Or(n.MixEnv, n.Env["MIX_ENV"], s.DeclaredMixEnv())
}

// MixEnvFor returns MIX_ENV of nodes whose image has the given environment. A release that
// does not state its MIX_ENV is assumed to be built for prod, the usual value for
// releases.
func (s Spec) MixEnvFor(image map[string]string) string {
	usual := "dev"
	if s.Release {
		usual = "prod"
	}
	return cmp.Or(s.DeclaredMixEnv(), image["MIX_ENV"], usual)
}

// ImageEnvAt returns the relevant part of the environment of node i's image.
func (s Spec) ImageEnvAt(i int) map[string]string {
	if n := s.Nodes[i]; n.Image != "" && n.Image != s.Image {
		return n.ImageEnv
	}
	return s.ImageEnv
}

// SupervisorNode is the name under which a cluster's supervisor connects to each of its
// nodes, as a hidden node. It appears in nodes(hidden), and a process that monitors
// hidden nodes (net_kernel:monitor_nodes/2) sees it connect once in each run. Its host
// never resolves. A node with net_kernel:allow/1 must allow it. Operations without a
// supervisor use a name that the node generates.
const SupervisorNode = "beamyard@beamyard.invalid"
