package config

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Values of beamyard.yml that YAML has no type for. Each decodes from the
// syntax tree, so that an error can point at its place.

type (
	duration  time.Duration // "5s", "1m30s"
	size      int64         // bytes: 268435456, "256MiB", "1.5GB"
	prefix    netip.Prefix  // "10.213.0.0/16"
	oneOrMore []string      // a word, or a list of words
	command   []string      // a list of words, or "image" for the image's own
)

// nodes is a number, or a list of nodes.
type nodes struct {
	count   int
	counted bool
	list    []orchestrator.NodeSpec
}

// ManyNodes limits the number of nodes in a file. It is far above any intended max_nodes,
// and prevents a larger number from costing memory for the nodes' names.
const ManyNodes = 10_000

// wrong is an error with its place in the file.
func wrong(at ast.Node, format string, args ...any) error {
	return &yaml.SyntaxError{Message: fmt.Sprintf(format, args...), Token: at.GetToken()}
}

// scalar is the text of a string or a number.
func scalar(at ast.Node) (string, bool) {
	switch at := at.(type) {
	case *ast.StringNode:
		return at.Value, true
	case *ast.IntegerNode, *ast.FloatNode:
		return at.GetToken().Value, true
	}
	return "", false
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (d *duration) UnmarshalYAML(at ast.Node) error {
	text, ok := scalar(at)
	v, err := time.ParseDuration(text)
	if !ok || err != nil {
		return wrong(at, "a duration has a unit: 500ms, 5s, 1m30s")
	}
	*d = duration(v)
	return nil
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (c *command) UnmarshalYAML(at ast.Node) error {
	if text, ok := scalar(at); ok && text == orchestrator.CommandOfImage {
		*c = command{orchestrator.CommandOfImage}
		return nil
	}
	if _, list := at.(*ast.SequenceNode); !list {
		return wrong(at, "a command is a list of words, or the word image for the image's own")
	}
	return yaml.NodeToValue(at, (*[]string)(c))
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (m *oneOrMore) UnmarshalYAML(at ast.Node) error {
	if text, ok := scalar(at); ok {
		*m = oneOrMore{text}
		return nil
	}
	return yaml.NodeToValue(at, (*[]string)(m))
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (p *prefix) UnmarshalYAML(at ast.Node) error {
	text, ok := scalar(at)
	v, err := netip.ParsePrefix(text)
	if !ok || err != nil {
		return wrong(at, "an address range looks like 10.213.0.0/16")
	}
	*p = prefix(v)
	return nil
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (s *size) UnmarshalYAML(at ast.Node) error {
	text, ok := scalar(at)
	v, good := parseSize(text)
	if !ok || !good {
		return wrong(at, "a size is a number of bytes, or looks like 512MiB or 2GB")
	}
	*s = size(v)
	return nil
}

// units of sizes: the decimal ones of the SI, the binary ones of IEC 80000-13.
var units = map[string]float64{
	"": 1, "b": 1,
	"kb": 1e3, "mb": 1e6, "gb": 1e9,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
	// As in `docker run --memory`, where a bare letter is binary.
	"k": 1 << 10, "m": 1 << 20, "g": 1 << 30,
}

func parseSize(text string) (int64, bool) {
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit, known := units[strings.ToLower(strings.TrimSpace(text[len(digits):]))]
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !known || n < 0 || n*unit >= math.MaxInt64 {
		return 0, false
	}
	return int64(n * unit), true
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (n *nodes) UnmarshalYAML(at ast.Node) error {
	switch at := at.(type) {
	case *ast.IntegerNode:
		var count int
		if err := yaml.NodeToValue(at, &count); err != nil || count > ManyNodes {
			return wrong(at, "%s is not a number of nodes", at.GetToken().Value)
		}
		n.count, n.counted = count, true
		return nil
	case *ast.SequenceNode:
		var list []node
		if err := yaml.NodeToValue(at, &list, yaml.Strict()); err != nil {
			return err
		}
		for _, item := range list {
			if n.list = append(n.list, item.specs()...); len(n.list) > ManyNodes {
				return wrong(at, "these are more than %d nodes", ManyNodes)
			}
		}
		return nil
	}
	return wrong(at, "nodes is a number, or a list of {name, env, ports, host_port, …}")
}
