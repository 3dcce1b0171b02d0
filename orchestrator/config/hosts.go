package config

import (
	"reflect"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/goccy/go-yaml/ast"
)

// extraHosts accepts names and addresses as a mapping, or as Compose's list of "name:address"
// or "name=address".
func (r *reader) extraHosts(at ast.Node, of reflect.Type) (ast.Node, error) {
	value, err := r.as(at, of)
	list, isList := value.(*ast.SequenceNode)
	if err != nil || !isList {
		return value, err
	}
	hosts, seen := ast.Mapping(list.Start, false), map[string]bool{}
	for _, item := range list.Values {
		text, _ := scalar(item)
		sign := ":"
		if strings.Contains(text, "=") {
			sign = "="
		}
		name, address, both := strings.Cut(text, sign)
		name, address = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(address), "[]")
		switch {
		case !both || name == "" || address == "":
			return nil, wrong(item, `an extra host is a name and an address: "db.local:10.0.0.7"`)
		case seen[name]:
			return nil, wrong(item, "%s is there twice", name)
		}
		seen[name] = true
		put(hosts, textAt(item.GetToken(), ""), name, address)
	}
	return hosts, nil
}

// hosts accepts the machines of a cluster: for each name the address of its engine, or a mapping.
func (r *reader) hosts(at ast.Node, of reflect.Type) (ast.Node, error) {
	for _, pair := range r.pairs(at) {
		if text, short := written(r.behind(pair.Value)); short && !pair.Key.IsMergeKey() {
			machine := ast.Mapping(pair.Value.GetToken(), false)
			put(machine, textAt(pair.Value.GetToken(), ""), "host", text)
			pair.Value = machine
		}
	}
	if _, list := r.behind(at).(*ast.SequenceNode); list {
		return nil, orchestrator.WithHint(wrong(at, "hosts is a mapping: each machine has a name"), "hosts: {a: tcp://10.0.0.7:2376, b: {context: big2}}")
	}
	return r.as(at, of)
}
