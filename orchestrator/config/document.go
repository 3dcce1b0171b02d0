package config

import (
	"errors"
	"io"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// decode reads one YAML document, strictly: an unknown key, a wrong type or a second
// document is an error that shows its line. An empty document is the zero spec.
func decode(r io.Reader) (orchestrator.Spec, error) { return outside{}.decode(r) }

func (o outside) decode(r io.Reader) (orchestrator.Spec, error) {
	all, err := o.decodeAll(r)
	if err != nil {
		return orchestrator.Spec{}, err
	}
	return all[0].Spec, nil
}

// decodeAll returns the file's own spec, which has no values of the matrix, and then those of its
// combinations.
func (o outside) decodeAll(r io.Reader) ([]Combination, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, err
	}
	bodies := slices.DeleteFunc(slices.Clone(file.Docs), func(d *ast.DocumentNode) bool {
		_, directive := d.Body.(*ast.DirectiveNode) // %YAML 1.2
		return d.Body == nil || directive
	})
	switch len(bodies) {
	case 0:
		return []Combination{{}}, nil
	case 1:
	default:
		return nil, errors.New("it has more than one document")
	}
	reading := &reader{outside: o}
	body, err := reading.read(bodies[0].Body, clusterType)
	if err != nil {
		return nil, err
	}
	spec, err := specOf(body)
	all := []Combination{{Spec: spec}}
	for _, one := range reading.combinations {
		if err == nil {
			spec, err = specOf(with(body.(*ast.MappingNode), one))
			all = append(all, Combination{Values: values(one), Spec: spec})
		}
	}
	return all, err
}

// specOf decodes a file's mapping. The reader has rejected unknown keys already, so each of the
// structs decodes its own.
func specOf(body ast.Node) (orchestrator.Spec, error) {
	var s orchestrator.Spec
	if err := yaml.NodeToValue(body, &s); err != nil {
		return orchestrator.Spec{}, err
	}
	var only clusterOnly
	if err := yaml.NodeToValue(body, &only); err != nil {
		return orchestrator.Spec{}, err
	}
	return settle(s, only), nil
}

// settle converts the keys that only a file has to fields of the spec.
func settle(s orchestrator.Spec, only clusterOnly) orchestrator.Spec {
	s.Env = over(only.EnvFile, s.Env)
	if !slices.ContainsFunc(only.Nodes, func(n nodeOnly) bool { return n.Replicas > 0 || len(n.EnvFile) > 0 }) {
		return s
	}
	var nodes []orchestrator.NodeSpec
	for i, n := range s.Nodes {
		n.Env = over(only.Nodes[i].EnvFile, n.Env)
		nodes = append(nodes, replicated(n, only.Nodes[i].Replicas)...)
	}
	s.Nodes = nodes
	return s
}
