package orchestrator

import (
	"fmt"
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

// noNode is the error of a name that is not the name of one node: unknown, or a role's.
func (s Spec) noNode(name string) error {
	if nodes := s.named(name); len(nodes) > 0 {
		return WithHint(fmt.Errorf("%w: %s is a role", ErrNoNode, name), "name one of its nodes: %s", strings.Join(nodes, ", "))
	}
	return WithHint(fmt.Errorf("%w: %s", ErrNoNode, name), "%s", s.choice(name, "cluster "+s.Name+" has "))
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

// validateRoles checks what nodes have in place of the cluster's.
func (s Spec) validateRoles(v *validation) {
	for i, n := range s.Nodes {
		field := fmt.Sprintf("nodes[%d].", i)
		if s.indexOf(n.Role) >= 0 {
			v.add(field+"role", fmt.Sprintf("%q is also the name of a node", n.Role), "give the node another name")
		}
		if n.HTTPPort != 0 && n.HTTPPort != -1 {
			v.port(field+"http_port", n.HTTPPort, false)
		}
		if n.HTTPPort != 0 && n.HTTPPort == s.Distribution.Port {
			v.add(field+"http_port", fmt.Sprintf("%d is distribution.port too", n.HTTPPort), "choose another http_port")
		}
		if n.HTTPCheck != noCheck {
			v.httpCheck(field+"http_check", n.HTTPCheck)
		}
		if n.HTTPCheck != "" && n.HTTPCheck != noCheck && s.filled(i).HTTPPort < 0 {
			v.add(field+"http_check", "the node has no HTTP port", "set http_port, or leave http_check out")
		}
		if n.Image != "" && !n.Built && (n.MixEnv != "" || n.ReleaseName != "") {
			v.add(field+"image", "an image that exists is not made with mix_env or release_name", "leave them out; env: {MIX_ENV: prod} sets what the node sees")
		}
		if n.Image != "" && !n.Built && n.ofDockerfile() {
			v.add(field+"image", "an image that exists is not built: dockerfile, target and args would have no effect", "leave image out, or leave dockerfile, target and args out")
		}
		if n.Image == "" && s.Source == "" && n.ofDockerfile() {
			v.add(field+"dockerfile", "no folder is given that has a Dockerfile", "leave dockerfile, target and args out, or say which folder: source: .")
		}
		if s.Source == "" && n.ReleaseName != "" {
			v.add(field+"release_name", "an image that exists is not made with release_name", "command: [/app/bin/NAME, start] says which one starts")
		}
	}
}

// validateNodeChecks checks the checks that stand at nodes.
func (s Spec) validateNodeChecks(v *validation) {
	for i, n := range s.Nodes {
		names := map[string]string{}
		for _, list := range []struct {
			of     string
			checks []Check
		}{{"checks", n.Checks}, {"ready", n.Ready}} {
			for j, k := range list.checks {
				of, field := list.of, fmt.Sprintf("nodes[%d].%s[%d]", i, list.of, j)
				if len(k.Nodes) > 0 {
					v.add(field+".nodes", "the check stands at a node already", "leave it out, or put the check into the cluster's "+of)
					k.Nodes = nil
				}
				if k.Log != "" && of == "checks" {
					v.add(field+".log", "a line that was printed once is not repeated", "put it into ready:")
				}
				alone := s
				alone.Nodes = s.Nodes[i : i+1]
				alone.validateCheck(v, field, k, names)
			}
		}
	}
}

// validateBuild refuses what the cluster says of a Dockerfile that no node is built of.
func (s Spec) validateBuild(v *validation) {
	own, others := 0, 0
	for _, n := range s.Nodes {
		switch {
		case n.Dockerfile != "":
			own++
		case n.Image == "" || n.Built || n.Image == s.Image:
			others++
		}
	}
	if own == 0 || others > 0 {
		return
	}
	hint := "leave it out: each node has a dockerfile of its own, with its target and args"
	if s.Dockerfile != "" {
		v.add("dockerfile", "it would have no effect: no node is built from it", hint)
	}
	if s.Target != "" {
		v.add("target", "it would have no effect: no node is built from it", hint)
	}
	if len(s.Args) > 0 {
		v.add("args", "they would have no effect: no node is built with them", hint)
	}
}

func (v *validation) httpCheck(field, path string) {
	if path != "" && !strings.HasPrefix(path, "/") {
		v.add(field, fmt.Sprintf("%q is no path", path), "http_check: /health")
	}
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
