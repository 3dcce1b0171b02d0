package config

import (
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// extraHosts are names and addresses, as a mapping or as Compose's list of "name:address"
// or "name=address".
type extraHosts map[string]string

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (h *extraHosts) UnmarshalYAML(at ast.Node) error {
	list, isList := at.(*ast.SequenceNode)
	if !isList {
		return yaml.NodeToValue(at, (*map[string]string)(h))
	}
	hosts := extraHosts{}
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
			return wrong(item, `an extra host is a name and an address: "db.local:10.0.0.7"`)
		case hosts[name] != "":
			return wrong(item, "%s is there twice", name)
		}
		hosts[name] = address
	}
	*h = hosts
	return nil
}
