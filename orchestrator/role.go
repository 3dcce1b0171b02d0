package orchestrator

import (
	"slices"
	"strings"
)

// This file handles nodes with different roles: which settings a node takes from its
// cluster, and which nodes a name stands for.

// filledRole fills the role-dependent fields of a node from the cluster.
func (s Spec) filledRole(n NodeSpec) NodeSpec {
	if n.Image == s.Image {
		n.Precompiled = n.Precompiled || s.Precompiled
		setDefault(&n.ImageBoot, s.ImageBoot)
	}
	setDefault(&n.App, s.App)
	setDefault(&n.ReleaseName, s.ReleaseName)
	setDefault(&n.HTTPPort, s.HTTPPort)
	setDefault(&n.HTTPCheck, s.HTTPCheck)
	if n.HTTPCheck == NoHTTPCheck || n.HTTPPort < 0 {
		n.HTTPCheck = ""
	}
	n.Checks, n.Ready = checksOf(n, s.Checks, n.Checks), checksOf(n, s.Ready, n.Ready)
	return n
}

// NoHTTPCheck as a node's HTTPCheck disables the check.
const NoHTTPCheck = "-"

// checksOf returns the checks of a node: those of its cluster that apply to it, and its
// own, which replace the cluster's of the same name.
func checksOf(n NodeSpec, clusters, own []Check) []Check {
	var checks []Check
	for _, k := range clusters {
		asked := k.AppliesTo(n) && (k.HTTP == "" || k.Port != 0 || n.HTTPPort >= 0)
		if asked && !slices.ContainsFunc(own, func(o Check) bool { return o.String() == k.String() }) {
			checks = append(checks, k)
		}
	}
	return append(checks, own...)
}

// Index returns a node's index, or -1 if there is no node of that name.
func (s Spec) Index(node string) int {
	return slices.IndexFunc(s.Nodes, func(n NodeSpec) bool { return n.Name == node })
}

// Node returns a node, with unset fields filled from its cluster. A helper is not a node of
// the spec: it gets the cluster's settings.
func (s Spec) Node(node string) NodeSpec {
	i := s.Index(node)
	if i < 0 {
		s.Nodes = []NodeSpec{{Name: node}}
		i = 0
	}
	return s.NodeAt(i)
}

// RunsRelease reports whether a node runs a `mix release`.
func (s Spec) RunsRelease(n NodeSpec) bool {
	if n.Release != nil {
		return *n.Release
	}
	return s.Release
}

// NodesOf returns the names of the nodes that the given names stand for: a node's own
// name, for a role all of its nodes, and for "@host:NAME" all nodes on that host, in the order
// given and without duplicates. An unknown name, and a host without nodes, match [ErrNoNode].
func (s Spec) NodesOf(names ...string) ([]string, error) {
	var nodes []string
	for _, name := range names {
		meant := s.named(name)
		if len(meant) == 0 {
			return nil, s.NoNode(name)
		}
		for _, n := range meant {
			if !slices.Contains(nodes, n) {
				nodes = append(nodes, n)
			}
		}
	}
	return nodes, nil
}

// named returns the nodes that a name stands for: none if it is unknown.
func (s Spec) named(name string) []string {
	if s.Index(name) >= 0 {
		return []string{name}
	}
	host, onHost := strings.CutPrefix(name, OnHost)
	var nodes []string
	for _, n := range s.Nodes {
		if onHost && host != "" && n.Host == host || !onHost && name != "" && n.Role == name {
			nodes = append(nodes, n.Name)
		}
	}
	return nodes
}

// StartsAfter returns the nodes that node i starts after, with each role in its After expanded.
func (s Spec) StartsAfter(i int) []string {
	var nodes []string
	for _, name := range s.Nodes[i].After {
		nodes = append(nodes, s.named(name)...)
	}
	return nodes
}

// Declared returns the names of the nodes and roles, in the order of declaration.
func (s Spec) Declared() (nodes, roles []string) {
	for _, n := range s.Nodes {
		nodes = append(nodes, n.Name)
		if n.Role != "" && !slices.Contains(roles, n.Role) {
			roles = append(roles, n.Role)
		}
	}
	return nodes, roles
}

// Choice lists the nodes and roles that can be named in place of an unknown name, with the
// most similar one first: "did you mean worker? WHAT web, worker1; roles: worker".
func (s Spec) Choice(name, what string) string {
	nodes, roles := s.Declared()
	text := didYouMean(name, slices.Concat(nodes, roles)) + what + strings.Join(nodes, ", ")
	if len(roles) > 0 {
		text += "; roles: " + strings.Join(roles, ", ")
	}
	return text
}
