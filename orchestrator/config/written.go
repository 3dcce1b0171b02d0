package config

import (
	"reflect"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// reader converts a document to what its struct declares, before it is decoded: each value that
// is declared as text becomes the text that was written, anchors, merge keys and short forms
// are expanded, and an unknown key is an error.
//
// The decoder would format numbers anew (it reads 0123 as 83, 1.10 as 1.1), drops a whole
// mapping that has a number as its key, does not know anchors inside a value that decodes
// itself, and rejects a key that overrides a merged one.
type reader struct {
	outside
	bound map[*ast.AliasNode]*ast.AnchorNode // the anchor of each alias
	open  map[*ast.AnchorNode]bool           // being expanded: an alias to it inside would be endless
	nodes int                                // number of nodes created

	combinations [][]setting // of the matrix
}

// outside provides what a document can refer to.
type outside struct {
	lookup   func(key string) (string, bool)   // in our own environment
	readFile func(path string) ([]byte, error) // relative to the document's folder
}

// mostNodes limits the expansion of aliases: nine lists of nine aliases each are a file of 300
// bytes and 400 million values.
const mostNodes = 100_000

// read converts a document's body to what t declares.
func (r *reader) read(body ast.Node, t reflect.Type) (ast.Node, error) {
	r.bound, r.open, r.nodes = map[*ast.AliasNode]*ast.AnchorNode{}, map[*ast.AnchorNode]bool{}, 0
	r.bind(body, map[string]*ast.AnchorNode{})
	return r.as(body, t)
}

// bind finds the anchor of each alias: the last one of that name before it.
// Source: YAML 1.2.2, 3.2.2.2.
func (r *reader) bind(at ast.Node, last map[string]*ast.AnchorNode) {
	switch at := at.(type) {
	case *ast.AnchorNode:
		last[at.Name.GetToken().Value] = at
		r.bind(at.Value, last)
	case *ast.AliasNode:
		if anchor := last[at.Value.GetToken().Value]; anchor != nil {
			r.bound[at] = anchor
		}
	case *ast.TagNode:
		r.bind(at.Value, last)
	case *ast.MappingKeyNode:
		r.bind(at.Value, last)
	case *ast.MappingValueNode:
		r.bind(at.Key, last)
		r.bind(at.Value, last)
	case *ast.MappingNode:
		for _, v := range at.Values {
			r.bind(v, last)
		}
	case *ast.SequenceNode:
		for _, v := range at.Values {
			r.bind(v, last)
		}
	}
}

// as converts a node to what t declares; nil declares nothing.
func (r *reader) as(at ast.Node, t reflect.Type) (ast.Node, error) {
	if r.nodes++; r.nodes > mostNodes {
		return nil, wrong(at, "the aliases make more than %d values of this file", mostNodes)
	}
	switch n := at.(type) {
	case *ast.AnchorNode:
		return r.within(n, n, t)
	case *ast.AliasNode:
		anchor, ok := r.bound[n]
		if !ok {
			return nil, wrong(n.Value, "no anchor &%s stands before this", n.Value.GetToken().Value)
		}
		return r.within(at, anchor, t)
	case *ast.TagNode:
		return r.tagged(n, t)
	}
	if _, mapping := at.(ast.MapNode); mapping && t != nil && t.Kind() == reflect.String {
		return nil, wrong(at, "this must be text, and YAML reads a mapping: put it in quotes")
	}
	switch n := at.(type) {
	case *ast.MappingNode:
		return r.mapping(n, n.Values, t)
	case *ast.MappingValueNode:
		return r.mapping(ast.Mapping(n.Start, false), []*ast.MappingValueNode{n}, t)
	case *ast.SequenceNode:
		return r.sequence(n, t)
	}
	if text, ok := written(at); ok && t == nodeType {
		return nil, orchestrator.WithHint(wrong(at, "a node is a mapping, not text"), "nodes: [{name: %s}]", quoteWord(text))
	}
	if t != nil && t.Kind() == reflect.String {
		if text, ok := written(at); ok {
			return textAt(at.GetToken(), text), nil
		}
	}
	return at, nil
}

// within expands an anchor at the place of an alias.
func (r *reader) within(at ast.Node, anchor *ast.AnchorNode, t reflect.Type) (ast.Node, error) {
	if r.open[anchor] {
		return nil, wrong(at, "this stands for itself, without an end")
	}
	r.open[anchor] = true
	defer delete(r.open, anchor)
	return r.as(anchor.Value, t)
}

// tagged converts a value with one of YAML's own tags. Other tags, which request something that
// is not supported, are errors.
func (r *reader) tagged(at *ast.TagNode, t reflect.Type) (ast.Node, error) {
	switch token.ReservedTagKeyword(at.Start.Value) {
	case token.StringTag:
		value, err := r.as(at.Value, reflect.TypeFor[string]())
		if _, null := value.(*ast.NullNode); null {
			return textAt(at.Value.GetToken(), ""), nil
		}
		return value, err
	case token.MappingTag, token.SequenceTag, token.NullTag:
		return r.as(at.Value, t)
	case token.IntegerTag, token.FloatTag, token.BooleanTag, token.BinaryTag, token.TimestampTag:
		if t == nil || t.Kind() != reflect.String {
			return at, nil
		}
		return r.as(at.Value, t)
	case token.OrderedMapTag, token.SetTag, token.MergeTag:
	}
	return nil, wrong(at, "%s has no meaning in %s: leave it out", at.Start.Value, Name)
}

func (r *reader) sequence(at *ast.SequenceNode, t reflect.Type) (ast.Node, error) {
	var of reflect.Type
	if t != nil && t.Kind() == reflect.Slice {
		of = t.Elem()
	}
	list := ast.Sequence(at.Start, at.IsFlowStyle)
	list.End = at.End
	for _, v := range at.Values {
		value, err := r.as(v, of)
		if err != nil {
			return nil, err
		}
		list.Values = append(list.Values, value)
	}
	return list, nil
}

// mapping converts each value to what its key declares, and merges the mappings that << names:
// the mapping's own keys take precedence, then those of the first mapping named.
// Source: https://yaml.org/type/merge.html.
func (r *reader) mapping(at *ast.MappingNode, pairs []*ast.MappingValueNode, t reflect.Type) (ast.Node, error) {
	out := ast.Mapping(at.Start, at.IsFlowStyle)
	out.End = at.End
	seen := map[string]bool{}
	add := func(pair *ast.MappingValueNode, merged bool) error {
		key, err := r.key(pair.Key)
		if err != nil {
			return err
		}
		if merged && seen[key.Value] {
			return nil
		}
		if seen[key.Value] {
			return wrong(key, "%s is here twice", key.Value)
		}
		seen[key.Value] = true
		value := pair.Value
		if !merged {
			if t == clusterType && strings.HasPrefix(key.Value, "x-") {
				return nil // as in Compose: a place for anchors
			}
			if value, err = r.value(key, value, t); err != nil {
				return err
			}
		}
		out.Values = append(out.Values, ast.MappingValue(pair.Start, key, value))
		return nil
	}
	if t == clusterType {
		if err := r.composeFile(pairs); err != nil {
			return nil, err
		}
	}
	for _, pair := range pairs {
		if !pair.Key.IsMergeKey() {
			if err := add(pair, false); err != nil {
				return nil, err
			}
		}
	}
	for _, pair := range pairs {
		if !pair.Key.IsMergeKey() {
			continue
		}
		sources, err := r.merged(pair.Value, t)
		if err != nil {
			return nil, err
		}
		for _, source := range sources {
			for _, p := range source.Values {
				if err := add(p, true); err != nil {
					return nil, err
				}
			}
		}
	}
	return out, nil
}

// merged returns the mappings that a merge key names: one, or a list of them.
func (r *reader) merged(at ast.Node, t reflect.Type) ([]*ast.MappingNode, error) {
	named := []ast.Node{at}
	if list, ok := r.behind(at).(*ast.SequenceNode); ok {
		named = list.Values
	}
	var all []*ast.MappingNode
	for _, n := range named {
		value, err := r.as(n, t)
		if err != nil {
			return nil, err
		}
		m, ok := value.(*ast.MappingNode)
		if !ok {
			return nil, wrong(n, "<< takes a mapping, or a list of them")
		}
		all = append(all, m)
	}
	return all, nil
}

// behind returns a node without anchors, and the target of an alias.
func (r *reader) behind(at ast.Node) ast.Node {
	for range mostNodes {
		switch n := at.(type) {
		case *ast.AnchorNode:
			at = n.Value
		case *ast.AliasNode:
			anchor := r.bound[n]
			if anchor == nil {
				return at
			}
			at = anchor.Value
		default:
			return at
		}
	}
	return at
}

// key returns a mapping's key as it was written.
func (r *reader) key(at ast.Node) (*ast.StringNode, error) {
	if k, ok := at.(*ast.MappingKeyNode); ok {
		at = k.Value
	}
	value, err := r.as(at, reflect.TypeFor[string]())
	if err != nil {
		return nil, err
	}
	switch value := value.(type) {
	case *ast.StringNode:
		return value, nil
	case *ast.NullNode:
		return textAt(value.GetToken(), value.GetToken().Value), nil
	}
	return nil, wrong(at, "a key is text")
}

// value returns the value of a key of t, which is an error if t does not have that key.
func (r *reader) value(name *ast.StringNode, at ast.Node, t reflect.Type) (ast.Node, error) {
	if t != nil && t.Kind() == reflect.Map {
		return r.formed(key{name: name.Value, field: reflect.StructField{Type: t.Elem()}}, at)
	}
	if mappings[t] == nil {
		return r.as(at, nil) // the keys are not declared here
	}
	k, known := find(t, name.Value)
	if !known {
		return nil, r.unknown(name, at, t)
	}
	return r.formed(k, at)
}

// written returns the text of a scalar as it stands in the file, and for a string the content
// of its quotes or its block.
func written(at ast.Node) (string, bool) {
	switch at := at.(type) {
	case *ast.StringNode:
		return at.Value, true
	case *ast.LiteralNode:
		return at.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return at.GetToken().Value, true
	}
	return "", false
}

// textAt returns a text in the place of a token, which errors show.
func textAt(place *token.Token, text string) *ast.StringNode {
	return &ast.StringNode{BaseNode: &ast.BaseNode{}, Token: place, Value: text}
}
