package manifest

import (
	"slices"

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
// cluster's, which the compiler uses: it has another MIX_ENV, release or Dockerfile.
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
