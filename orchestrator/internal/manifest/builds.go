package manifest

import (
	"path"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// OwnNode returns a node that runs the cluster's image, with unset fields filled from the
// cluster.
func OwnNode(s orchestrator.Spec) orchestrator.NodeSpec {
	for i, n := range s.Nodes {
		if n.Image == "" || n.Image == s.Image {
			return s.NodeAt(i)
		}
	}
	return s.Node("")
}

// OtherBuild reports whether a node's image is another build of the sources than the
// cluster's, which the compiler uses: it has another MIX_ENV, release,
// base or Dockerfile.
func OtherBuild(s orchestrator.Spec, node string) bool {
	n := s.Node(node)
	return n.Built && n.Image != s.Image
}

// UsesCustomImage reports whether a node runs its own image, of which nothing is built from the
// cluster's sources.
func UsesCustomImage(s orchestrator.Spec, node string) bool {
	return slices.ContainsFunc(s.Nodes, func(n orchestrator.NodeSpec) bool {
		return n.Name == node && n.Image != "" && n.Image != s.Image && !n.Built
	})
}

// CodeKey returns a key for the code that a node runs: nodes with the same key have the same
// modules. Two commands of one image may start two releases, each with different
// applications.
func CodeKey(s orchestrator.Spec, node string) string {
	n := s.Node(node)
	return strings.Join([]string{n.Image, n.App, started(s, n)}, " ")
}

// started returns the release script that a node's command starts, or "" if the command
// names none.
func started(s orchestrator.Spec, n orchestrator.NodeSpec) string {
	for _, word := range slices.Concat(n.Entrypoint, n.Command) {
		if s.RunsRelease(n) && path.Base(path.Dir(word)) == "bin" {
			return word
		}
	}
	return ""
}
