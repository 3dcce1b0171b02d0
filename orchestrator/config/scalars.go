package config

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Forms of single values that YAML has no type for, and of words. Each becomes a value of the
// key's Go type, and an error points at its place.

// wrong returns an error with its place in the file.
func wrong(at ast.Node, format string, args ...any) error {
	return &yaml.SyntaxError{Message: fmt.Sprintf(format, args...), Token: at.GetToken()}
}

// scalar returns the text of a string or a number.
func scalar(at ast.Node) (string, bool) {
	switch at := at.(type) {
	case *ast.StringNode:
		return at.Value, true
	case *ast.IntegerNode, *ast.FloatNode:
		return at.GetToken().Value, true
	}
	return "", false
}

// given reads a value that has its own form. ok is false if it has none, or if it is invalid.
func (r *reader) given(at ast.Node, of reflect.Type) (value ast.Node, ok bool, err error) {
	value, err = r.as(at, of)
	_, null := value.(*ast.NullNode)
	return value, err == nil && !null, err
}

// duration accepts "5s" and "1m30s".
func (r *reader) duration(at ast.Node, of reflect.Type) (ast.Node, error) {
	value, ok, err := r.given(at, of)
	if !ok {
		return value, err
	}
	text, ok := scalar(value)
	if _, err := time.ParseDuration(text); !ok || err != nil {
		return nil, wrong(value, "a duration has a unit: 500ms, 5s, 1m30s")
	}
	return textAt(value.GetToken(), text), nil
}

// prefix accepts "10.213.0.0/16".
func (r *reader) prefix(at ast.Node, of reflect.Type) (ast.Node, error) {
	value, ok, err := r.given(at, of)
	if !ok {
		return value, err
	}
	text, ok := scalar(value)
	if _, err := netip.ParsePrefix(text); !ok || err != nil {
		return nil, wrong(value, "an address range looks like 10.213.0.0/16")
	}
	return textAt(value.GetToken(), text), nil
}

// size accepts bytes: 268435456, "256MiB", "1.5GB".
func (r *reader) size(at ast.Node, of reflect.Type) (ast.Node, error) {
	value, ok, err := r.given(at, of)
	if !ok {
		return value, err
	}
	text, ok := scalar(value)
	bytes, good := ParseSize(text)
	if !ok || !good {
		return nil, wrong(value, "a size is a number of bytes, or looks like 512MiB or 2GB")
	}
	return &ast.IntegerNode{BaseNode: &ast.BaseNode{}, Token: value.GetToken(), Value: bytes}, nil
}

// units of sizes: the decimal ones of the SI, the binary ones of IEC 80000-13.
var units = map[string]float64{
	"": 1, "b": 1,
	"kb": 1e3, "mb": 1e6, "gb": 1e9,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
	// As in `docker run --memory`, where a bare letter is binary.
	"k": 1 << 10, "m": 1 << 20, "g": 1 << 30,
}

// ParseSize returns the bytes of a size as it is written in beamyard.yml: 512MiB, 2GB, 1g, 1048576.
func ParseSize(text string) (int64, bool) {
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit, known := units[strings.ToLower(strings.TrimSpace(text[len(digits):]))]
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !known || n < 0 || n*unit >= math.MaxInt64 {
		return 0, false
	}
	return int64(n * unit), true
}

// command accepts a list of words, or "image" for the image's own. It rejects other text, which
// Compose splits into words, and suggests those words.
func (r *reader) command(at ast.Node, of reflect.Type) (ast.Node, error) {
	const what = "a command is a list of words, or the word image for the image's own"
	if text, ok := written(r.behind(at)); ok && text != orchestrator.CommandOfImage {
		return nil, inBrackets(at, what, text)
	}
	value, ok, err := r.given(at, of)
	if !ok {
		return value, err
	}
	if text, ok := scalar(value); ok && text == orchestrator.CommandOfImage {
		return listAt(value, textAt(value.GetToken(), text)), nil
	}
	if _, list := value.(*ast.SequenceNode); !list {
		return nil, wrong(value, what)
	}
	return value, nil
}

// words accepts a list of words, and rejects text as command does.
func (r *reader) words(at ast.Node, of reflect.Type) (ast.Node, error) {
	if text, ok := written(r.behind(at)); ok {
		return nil, inBrackets(at, "an entrypoint is a list of words", text)
	}
	return r.as(at, of)
}

// inBrackets returns the error for a command line that should be a list.
func inBrackets(at ast.Node, what, line string) error {
	return orchestrator.WithHint(wrong(at, "%s", what), "write its words in brackets: [%s]", strings.Join(words(line), ", "))
}

// tmpfs accepts a word, or a list of words.
func (r *reader) tmpfs(at ast.Node, of reflect.Type) (ast.Node, error) {
	value, err := r.as(at, of)
	if text, ok := scalar(value); ok && err == nil {
		return listAt(value, textAt(value.GetToken(), text)), nil
	}
	return value, err
}

// listAt returns a list in the place of another value.
func listAt(place ast.Node, items ...ast.Node) *ast.SequenceNode {
	list := ast.Sequence(place.GetToken(), true)
	list.Values = items
	return list
}
