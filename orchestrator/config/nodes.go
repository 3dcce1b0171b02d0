package config

import (
	"reflect"
	"slices"
	"strconv"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// ManyNodes limits the number of nodes in a file. It is far above any intended max_nodes,
// and prevents a larger number from costing memory for the nodes' names.
const ManyNodes = 10_000

// nodeList accepts a number, for n1, n2, …, or a list of nodes.
func (r *reader) nodeList(at ast.Node, of reflect.Type) (ast.Node, error) {
	value, ok, err := r.given(at, of)
	if !ok {
		return value, err
	}
	switch value := value.(type) {
	case *ast.IntegerNode:
		var count int
		if err := yaml.NodeToValue(value, &count); err != nil || count > ManyNodes {
			return nil, wrong(value, "%s is not a number of nodes", value.GetToken().Value)
		}
		list := listAt(value)
		for _, n := range orchestrator.NodeNames(count) {
			item := ast.Mapping(value.GetToken(), false)
			put(item, textAt(value.GetToken(), ""), "name", n.Name)
			list.Values = append(list.Values, item)
		}
		return list, nil
	case *ast.SequenceNode:
		count := 0
		for _, item := range value.Values {
			if count += replicasOf(item); count > ManyNodes {
				return nil, wrong(value, "these are more than %d nodes", ManyNodes)
			}
		}
		return value, nil
	}
	return nil, wrong(value, "nodes is a number, or a list of {name, env, ports, host_port, …}")
}

// replicasOf returns how many nodes an entry of the list makes.
func replicasOf(entry ast.Node) int {
	if m, ok := entry.(*ast.MappingNode); ok {
		for _, pair := range m.Values {
			if n, ok := pair.Value.(*ast.IntegerNode); ok && pair.Key.(*ast.StringNode).Value == "replicas" {
				return int(n.Value.(int64))
			}
		}
	}
	return 1
}

// replicas accepts a number of nodes.
func (r *reader) replicas(at ast.Node, of reflect.Type) (ast.Node, error) {
	value, ok, err := r.given(at, of)
	if !ok {
		return value, err
	}
	var n int
	if err := yaml.NodeToValue(value, &n); err != nil || n < 1 || n > ManyNodes {
		return nil, wrong(value, "replicas is a number of nodes, at least 1")
	}
	return &ast.IntegerNode{BaseNode: &ast.BaseNode{}, Token: value.GetToken(), Value: int64(n)}, nil
}

// replicated returns the nodes of an entry of the list: worker, or with replicas worker1,
// worker2, …, of the role worker. A name that ends in a digit keeps it apart: shard2-1. One
// replica is numbered too, so that a second changes nothing about the first.
func replicated(n orchestrator.NodeSpec, replicas int) []orchestrator.NodeSpec {
	if replicas == 0 {
		return []orchestrator.NodeSpec{n}
	}
	stem := n.Name
	if end := len(stem) - 1; end >= 0 && stem[end] >= '0' && stem[end] <= '9' {
		stem += "-"
	}
	nodes := slices.Repeat([]orchestrator.NodeSpec{n}, replicas)
	for i := range nodes {
		nodes[i].Name, nodes[i].Role = stem+strconv.Itoa(i+1), n.Name
	}
	return nodes
}
