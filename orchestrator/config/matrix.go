package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/goccy/go-yaml/ast"
)

// ManyCombinations limits the combinations of a matrix, as in GitHub's workflows.
//
// Source: GitHub Actions documentation, "Running variations of jobs in a workflow".
const ManyCombinations = 256

// Combination is a spec with the values of one combination of a file's matrix.
type Combination struct {
	// Values are the keys that the matrix sets, in the order of the file.
	Values []MatrixValue
	// Spec is the file's, with these values in place of its own.
	Spec orchestrator.Spec
}

// MatrixValue is a key that a matrix sets.
type MatrixValue struct {
	Key string `json:"key"`
	// Text is the value as the file writes it. For a list or a mapping, which may hold secrets,
	// it is the value's place: #2 is the second.
	Text string `json:"value"`
}

// String returns the values of a combination: "base_image=bookworm nodes=3".
func (c Combination) String() string {
	texts := make([]string, len(c.Values))
	for i, v := range c.Values {
		texts[i] = v.Key + "=" + v.Text
	}
	return strings.Join(texts, " ")
}

// Without returns the combinations that remain when something else decides about these keys,
// such as a flag: of those that are equal otherwise, the first. dropped are the keys that the
// combinations had.
func Without(all []Combination, keys ...string) (rest []Combination, dropped []string) {
	seen := map[string]bool{}
	for _, c := range all {
		var kept []MatrixValue
		for _, v := range c.Values {
			switch {
			case !slices.Contains(keys, v.Key):
				kept = append(kept, v)
			case !slices.Contains(dropped, v.Key):
				dropped = append(dropped, v.Key)
			}
		}
		c.Values = kept
		if name := c.String(); !seen[name] {
			seen[name] = true
			rest = append(rest, c)
		}
	}
	return rest, dropped
}

// setting is a key of a combination, with its value as the spec has it.
type setting struct {
	MatrixValue
	at   ast.Node
	pair *ast.MappingValueNode
}

// matrix accepts a list of values for each key, or a list of combinations, and keeps the
// combinations. The value itself is then empty: no field has it.
func (r *reader) matrix(at ast.Node, _ reflect.Type) (ast.Node, error) {
	var all [][]setting
	var err error
	switch value := r.behind(at).(type) {
	case *ast.NullNode:
		return value, nil
	case *ast.SequenceNode:
		all, err = r.listed(value)
	case *ast.MappingNode, *ast.MappingValueNode:
		all, err = r.product(value)
	default:
		err = orchestrator.WithHint(wrong(at, "a matrix is a mapping to lists of values, or a list of combinations"), "%s", matrixExample)
	}
	if err == nil && len(all) == 0 {
		err = orchestrator.WithHint(wrong(at, "this matrix has no combination"), "%s", matrixExample)
	}
	if err == nil {
		err = distinct(all)
	}
	if err != nil {
		return nil, err
	}
	if r.combinations == nil { // else this one is in a mapping that was merged, and the file has its own
		r.combinations = all
	}
	return ast.Null(at.GetToken()), nil
}

const matrixExample = "matrix: {base_image: [bookworm, trixie], nodes: [3, 5]}"

// product returns each value of each key with each of the other keys; the last key changes
// fastest.
func (r *reader) product(at ast.Node) ([][]setting, error) {
	all := [][]setting{nil}
	pairs := r.pairs(at)
	for _, pair := range pairs {
		if key, err := r.matrixKey(pair); err != nil {
			return nil, err
		} else if list, ok := r.behind(pair.Value).(*ast.SequenceNode); !ok || len(list.Values) == 0 {
			return nil, orchestrator.WithHint(wrong(pair.Key, "%s needs a list of values here", key.Value), "%s", matrixExample)
		}
		list := r.behind(pair.Value).(*ast.SequenceNode)
		if len(all)*len(list.Values) > ManyCombinations {
			return nil, wrong(pair.Key, "these are more than %d combinations", ManyCombinations)
		}
		var values []setting
		for i, item := range list.Values {
			value, err := r.setting(pair, item, i)
			if err != nil {
				return nil, err
			}
			values = append(values, value)
		}
		var next [][]setting
		for _, before := range all {
			for _, value := range values {
				next = append(next, append(slices.Clone(before), value))
			}
		}
		all = next
	}
	if len(pairs) == 0 {
		return nil, nil
	}
	return all, nil
}

// listed returns the combinations of a list.
func (r *reader) listed(at *ast.SequenceNode) ([][]setting, error) {
	if len(at.Values) > ManyCombinations {
		return nil, wrong(at, "these are more than %d combinations", ManyCombinations)
	}
	var all [][]setting
	for i, item := range at.Values {
		pairs := r.pairs(item)
		if len(pairs) == 0 {
			return nil, orchestrator.WithHint(wrong(item, "a combination is a mapping"), "matrix: [{base_image: bookworm, nodes: 3}, {base_image: trixie, nodes: 5}]")
		}
		var one []setting
		for _, pair := range pairs {
			if _, err := r.matrixKey(pair); err != nil {
				return nil, err
			}
			value, err := r.setting(pair, pair.Value, i)
			if err != nil {
				return nil, err
			}
			one = append(one, value)
		}
		all = append(all, one)
	}
	return all, nil
}

// matrixKey returns the key of a pair in a matrix, which is an error if it cannot vary.
func (r *reader) matrixKey(pair *ast.MappingValueNode) (*ast.StringNode, error) {
	if pair.Key.IsMergeKey() {
		return nil, wrong(pair.Key, "<< has no meaning in a matrix: write its keys")
	}
	key, err := r.key(pair.Key)
	if err != nil {
		return nil, err
	}
	switch key.Value {
	case "include", "exclude":
		return nil, orchestrator.WithHint(wrong(key, "a matrix has no %s", key.Value), "list the combinations: matrix: [{base_image: bookworm, nodes: 3}, {base_image: trixie, nodes: 5}]")
	case "matrix":
		return nil, wrong(key, "a matrix has no matrix in it")
	case "name":
		return nil, orchestrator.WithHint(wrong(key, "combinations run one after the other under one name"), "leave it out")
	case "cookie":
		return nil, orchestrator.WithHint(wrong(key, "a cookie is not shown, and what a matrix sets is"), "leave it out, or write it beside matrix:")
	}
	return key, nil
}

// setting reads a value for the key of a pair. i is its place in its list.
func (r *reader) setting(pair *ast.MappingValueNode, value ast.Node, i int) (setting, error) {
	key, err := r.key(pair.Key)
	if err != nil {
		return setting{}, err
	}
	text, scalar := written(r.behind(value))
	if !scalar {
		text = fmt.Sprintf("#%d", i+1)
	}
	converted, err := r.value(key, value, clusterType)
	if err != nil {
		return setting{}, err
	}
	return setting{MatrixValue{key.Value, text}, value, ast.MappingValue(pair.Start, key, converted)}, nil
}

// distinct returns an error for a combination that is there twice.
func distinct(all [][]setting) error {
	seen := map[string]bool{}
	for _, one := range all {
		c := Combination{Values: values(one)}
		if seen[c.String()] {
			return wrong(one[len(one)-1].at, "%s is there twice", c)
		}
		seen[c.String()] = true
	}
	return nil
}

func values(one []setting) []MatrixValue {
	all := make([]MatrixValue, len(one))
	for i, s := range one {
		all[i] = s.MatrixValue
	}
	return all
}

// with returns a file's mapping with the values of a combination in place of its own.
func with(body *ast.MappingNode, one []setting) *ast.MappingNode {
	out := ast.Mapping(body.Start, body.IsFlowStyle)
	out.End = body.End
	for _, pair := range body.Values {
		if key, ok := pair.Key.(*ast.StringNode); !ok || !slices.ContainsFunc(one, func(s setting) bool { return s.Key == key.Value }) {
			out.Values = append(out.Values, pair)
		}
	}
	for _, s := range one {
		out.Values = append(out.Values, s.pair)
	}
	return out
}
