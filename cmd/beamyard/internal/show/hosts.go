package show

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// Place names a node, with its host if the cluster has hosts: "n2 on b".
func Place(n orchestrator.NodeStatus) string {
	if n.On == "" {
		return n.Name
	}
	return n.Name + " on " + n.On
}

// Hosts says in a line which nodes are on which host: "hosts: a (n1, n3), b (n2)". It is "" for nodes
// of one machine.
func Hosts(nodes []orchestrator.NodeStatus) string {
	on := map[string][]string{}
	for _, n := range nodes {
		on[n.On] = append(on[n.On], n.Name)
	}
	if len(on) < 2 {
		return ""
	}
	var parts []string
	for _, host := range slices.Sorted(maps.Keys(on)) {
		parts = append(parts, fmt.Sprintf("%s (%s)", host, strings.Join(on[host], ", ")))
	}
	return "hosts: " + strings.Join(parts, ", ") + "\n"
}
