package orchestrator

import (
	"path"
	"slices"
	"strings"
)

// This file is about nodes with different jobs: what a node has in place of its
// cluster's, and which nodes run the same.

// filledRole is a node with what its job takes of the cluster.
func (s Spec) filledRole(n NodeSpec) NodeSpec {
	if n.Image == s.Image {
		n.Precompiled = n.Precompiled || s.Precompiled
	}
	setDefault(&n.App, s.App)
	setDefault(&n.ReleaseName, s.ReleaseName)
	setDefault(&n.HTTPPort, s.HTTPPort)
	setDefault(&n.HTTPCheck, s.HTTPCheck)
	if n.HTTPCheck == noCheck || n.HTTPPort < 0 {
		n.HTTPCheck = ""
	}
	n.Checks, n.Ready = checksOf(n, s.Checks, n.Checks), checksOf(n, s.Ready, n.Ready)
	return n
}

// noCheck is the HTTPCheck of a node that is asked none.
const noCheck = "-"

// checksOf are the checks of a node: of its cluster's those that are asked of it, and
// its own, which replace those of their names.
func checksOf(n NodeSpec, clusters, own []Check) []Check {
	var checks []Check
	for _, k := range clusters {
		asked := k.on(n) && (k.HTTP == "" || k.Port != 0 || n.HTTPPort >= 0)
		if asked && !slices.ContainsFunc(own, func(o Check) bool { return o.String() == k.String() }) {
			checks = append(checks, k)
		}
	}
	return append(checks, own...)
}

// indexOf is a node's place, -1 where there is none of that name.
func (s Spec) indexOf(node string) int {
	return slices.IndexFunc(s.Nodes, func(n NodeSpec) bool { return n.Name == node })
}

// of is a node with what it takes of its cluster. A helper is no node of the spec: it
// has the cluster's.
func (s Spec) of(node string) NodeSpec {
	i := s.indexOf(node)
	if i < 0 {
		s.Nodes = []NodeSpec{{Name: node}}
		i = 0
	}
	return s.filled(i)
}

// runs names what a node runs: nodes for which it is the same have the same modules.
// Of one image two commands may start two releases, each with applications of its own.
func (s Spec) runs(node string) string {
	n := s.of(node)
	return strings.Join([]string{n.Image, n.App, started(s, n)}, " ")
}

// runsRelease reports whether a node runs a `mix release`.
func (s Spec) runsRelease(n NodeSpec) bool {
	if n.Release != nil {
		return *n.Release
	}
	return s.Release
}

// started is the release that a node's command starts: "" where it is not one that
// is named there.
func started(s Spec, n NodeSpec) string {
	for _, word := range slices.Concat(n.Entrypoint, n.Command) {
		if s.runsRelease(n) && path.Base(path.Dir(word)) == "bin" {
			return word
		}
	}
	return ""
}

// NodesOf returns the names of the nodes that names mean: a node's own name, and of a
// role all its nodes, in the order of the names and each once. An unknown name matches
// [ErrNoNode].
func (s Spec) NodesOf(names ...string) ([]string, error) {
	var nodes []string
	for _, name := range names {
		meant := s.named(name)
		if len(meant) == 0 {
			return nil, s.noNode(name)
		}
		for _, n := range meant {
			if !slices.Contains(nodes, n) {
				nodes = append(nodes, n)
			}
		}
	}
	return nodes, nil
}

// named are the nodes that a name means, none of an unknown one.
func (s Spec) named(name string) []string {
	if s.indexOf(name) >= 0 {
		return []string{name}
	}
	var nodes []string
	for _, n := range s.Nodes {
		if n.Role == name && name != "" {
			nodes = append(nodes, n.Name)
		}
	}
	return nodes
}

// names of nodes and of roles, as they are declared.
func (s Spec) declared() (nodes, roles []string) {
	for _, n := range s.Nodes {
		nodes = append(nodes, n.Name)
		if n.Role != "" && !slices.Contains(roles, n.Role) {
			roles = append(roles, n.Role)
		}
	}
	return nodes, roles
}

// choice lists the names that can be written for a node, with the one that may have
// been meant first.
func (s Spec) choice(name, what string) string {
	nodes, roles := s.declared()
	text := didYouMean(name, slices.Concat(nodes, roles)) + what + strings.Join(nodes, ", ")
	if len(roles) > 0 {
		text += "; roles: " + strings.Join(roles, ", ")
	}
	return text
}

// hasHTTP reports whether a node that a check is asked of has an HTTP port.
func (s Spec) hasHTTP(k Check) bool {
	for i, n := range s.Nodes {
		if k.on(n) && s.filled(i).HTTPPort > 0 {
			return true
		}
	}
	return len(s.Nodes) == 0 && s.HTTPPort > 0
}

// withImagesTogether has the images that were made of the source in one place, and
// not at nodes, so that other sources are one difference.
func (s Spec) withImagesTogether() Spec {
	s.Nodes = slices.Clone(s.Nodes)
	for i := range s.Nodes {
		if n := &s.Nodes[i]; n.Built {
			s.Image += " " + n.Image
			n.Image, n.Built, n.Precompiled = "", false, false
		}
	}
	return s
}
