package config

import (
	"strconv"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// replicas is how many nodes an entry of the list makes; 0 is one of its own name.
type replicas int

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (r *replicas) UnmarshalYAML(at ast.Node) error {
	var n int
	if err := yaml.NodeToValue(at, &n); err != nil || n < 1 || n > ManyNodes {
		return wrong(at, "replicas is a number of nodes, at least 1")
	}
	*r = replicas(n)
	return nil
}

// specs are the nodes of an entry: worker, or with replicas worker1, worker2, …, of
// the role worker. A name that ends in a digit keeps it apart: shard2-1. One replica
// is numbered too, so that a second changes nothing about the first.
func (n node) specs() []orchestrator.NodeSpec {
	if n.Replicas == 0 {
		return []orchestrator.NodeSpec{n.spec()}
	}
	stem := n.Name
	if end := len(stem) - 1; end >= 0 && stem[end] >= '0' && stem[end] <= '9' {
		stem += "-"
	}
	specs := make([]orchestrator.NodeSpec, n.Replicas)
	for i := range specs {
		specs[i] = n.spec()
		specs[i].Name, specs[i].Role = stem+strconv.Itoa(i+1), n.Name
	}
	return specs
}
