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
	text, err := io.ReadAll(r)
	if err != nil {
		return orchestrator.Spec{}, err
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return orchestrator.Spec{}, err
	}
	bodies := slices.DeleteFunc(slices.Clone(file.Docs), func(d *ast.DocumentNode) bool {
		_, directive := d.Body.(*ast.DirectiveNode) // %YAML 1.2
		return d.Body == nil || directive
	})
	switch len(bodies) {
	case 0:
		return orchestrator.Spec{}, nil
	case 1:
	default:
		return orchestrator.Spec{}, errors.New("it has more than one document")
	}
	body, err := (&reader{outside: o}).read(bodies[0].Body, clusterType)
	if err != nil {
		return orchestrator.Spec{}, err
	}
	// The reader has rejected unknown keys already, so each of these decodes its own.
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
