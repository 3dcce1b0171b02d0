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

// didYouMean proposes one of the names that there are, for the start of a hint.
func didYouMean(name string, known []string) string {
	if best := network.Nearest(name, known); best != "" {
		return "did you mean " + best + "? "
	}
	return ""
}

// noNode is the error of a name that is not the name of one node: unknown, or a role's.
func (s Spec) noNode(name string) error {
	if nodes := s.named(name); len(nodes) > 0 {
		return WithHint(fmt.Errorf("%w: %s is a role", ErrNoNode, name), "name one of its nodes: %s", strings.Join(nodes, ", "))
	}
	return WithHint(fmt.Errorf("%w: %s", ErrNoNode, name), "%s", s.choice(name, "cluster "+s.Name+" has "))
}

// names of the cluster's things.
func (s Spec) names() network.Names {
	return network.Names{Cluster: s.Name, Base: s.Basename, Domain: s.Domain, Short: s.Distribution.Names == ShortNames, Addresses: s.addresses()}
}

// filled is node i with what it takes of its cluster.
func (s Spec) filled(i int) NodeSpec {
	n := s.Nodes[i]
	n.MixEnv = cmp.Or(s.writtenAt(n), s.mixEnv(s.imageEnv(i)))
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

// portByEPMD reports whether the nodes choose their distribution ports, and EPMD knows
// them: each has a command of its own, which is not given a port.
func (s Spec) portByEPMD() bool {
	if !s.Distribution.EPMD {
		return false
	}
	given := func(text string) bool { return strings.Contains(text, "{dist_port}") }
	for i := range s.Nodes {
		n := s.filled(i)
		if s.runsRelease(n) || len(n.Command)+len(n.Entrypoint) == 0 || slices.ContainsFunc(slices.Concat(n.Command, n.Entrypoint, slices.Collect(maps.Values(n.Env))), given) {
			return false
		}
	}
	return true
}

// sortedKeys of a map, for output that does not jump.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// over is what is in either map, the upper one's where it is in both.
func over[V any](lower, upper map[string]V) map[string]V {
	both := map[string]V{}
	maps.Copy(both, lower)
	maps.Copy(both, upper)
	return both
}

// ofImage reports whether a command is [CommandOfImage].
func ofImage(command []string) bool { return len(command) == 1 && command[0] == CommandOfImage }

// ofDockerfile tells whether the spec says of this node what is built of a Dockerfile.
func (n NodeSpec) ofDockerfile() bool { return n.Dockerfile != "" || n.Target != "" || len(n.Args) > 0 }

// writtenMixEnv is MIX_ENV as the spec says it, "" where it does not.
func (s Spec) writtenMixEnv() string { return cmp.Or(s.MixEnv, s.Env["MIX_ENV"]) }

// writtenAt is MIX_ENV as the spec says it for a node, "" where it does not.
func (s Spec) writtenAt(n NodeSpec) string {
	return cmp.Or(n.MixEnv, n.Env["MIX_ENV"], s.writtenMixEnv())
}

// mixEnv is MIX_ENV of nodes whose image has that environment. A release that does
// not say which it was made for was made for prod, as everybody makes releases.
func (s Spec) mixEnv(image map[string]string) string {
	usual := "dev"
	if s.Release {
		usual = "prod"
	}
	return cmp.Or(s.writtenMixEnv(), image["MIX_ENV"], usual)
}

// imageEnv is node i's image's own environment, as far as it matters.
func (s Spec) imageEnv(i int) map[string]string {
	if n := s.Nodes[i]; n.Image != "" && n.Image != s.Image {
		return n.ImageEnv
	}
	return s.ImageEnv
}
