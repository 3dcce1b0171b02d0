package manifest

import (
	"cmp"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
)

// NewestFirst compares containers by when they were created. Of two containers of one node, the newer
// one is the node: the other one was left on a host that did not answer when the node was moved.
func NewestFirst(a, b orchestrator.Container) int {
	return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
}

// Current leaves out containers that moved nodes left behind. What is no node stays. The order of the
// others is kept.
func Current(all []orchestrator.Container) []orchestrator.Container {
	node := func(c orchestrator.Container) string {
		if c.Labels[orchestrator.LabelHelper] != "" {
			return ""
		}
		return c.Labels[orchestrator.LabelNode]
	}
	newest := map[string]string{}
	for _, c := range slices.SortedFunc(slices.Values(all), NewestFirst) {
		if newest[node(c)] == "" {
			newest[node(c)] = c.ID
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(c orchestrator.Container) bool { return node(c) != "" && newest[node(c)] != c.ID })
}
