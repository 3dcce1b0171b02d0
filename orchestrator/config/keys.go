package config

import (
	"encoding"
	"reflect"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// key is a key of a mapping in beamyard.yml. It is a field of [orchestrator.Spec], of a
// struct in it, or of a struct in fileOnly. Its name is the field's JSON name. The field's
// tag says how a file writes it:
//
//	file:"-"             a file cannot set the field: it is not a key
//	file:"size"          the value has the form "size", which is in [forms] or in forms.json
//	file:",min=1,max=9"  constraints, in the words of keywords in schema_test.go
//	file:",required"     the mapping must have the key
//	file:",one"          the mapping must have exactly one of the keys that say so
//	file:"env,after=a"   in the reference, the key follows a (of fileOnly)
//
// Without a form, a value is written as its Go type is. The constraints are for editors:
// they stand in beamyard.schema.json, and package validation enforces them.
type key struct {
	name  string
	form  string
	in    reflect.Type // the field's struct
	field reflect.StructField
}

// fileOnly holds the keys that no field of a spec has, by the struct of their mapping.
// [settle] turns them into fields.
var fileOnly = map[reflect.Type]reflect.Type{
	clusterType: reflect.TypeFor[clusterOnly](),
	nodeType:    reflect.TypeFor[nodeOnly](),
}

// clusterOnly are the keys of a cluster that only a file has.
type clusterOnly struct {
	// EnvFile are files with KEY=VALUE lines, relative to this file. Values in env take
	// precedence. $NAME is not expanded.
	EnvFile map[string]string `json:"env_file" file:"env_file,after=env"`
	// Matrix makes `beamyard run` and `beamyard test` run once for each combination of values of
	// other keys, one after the other, with a table at the end: {base_image: [bookworm, trixie],
	// nodes: [3, 5]} makes four; a list has the combinations themselves: [{base_image: bookworm,
	// nodes: 3}, {base_image: trixie, nodes: 5}]. A value replaces the key's own; a flag for the
	// key replaces both. Other commands use the file without it, and say so.
	Matrix any `json:"matrix" file:"matrix,after=warm"`

	Nodes []nodeOnly `json:"nodes" file:"-"`
}

// nodeOnly are the keys of a node that only a file has.
type nodeOnly struct {
	// EnvFile takes precedence over the cluster's env; the node's env takes precedence over
	// it.
	EnvFile map[string]string `json:"env_file" file:"env_file,after=env"`
	// Replicas is the number of nodes to make of this entry: worker1, worker2, …. The name
	// worker means all of them in after, in checks and in commands.
	Replicas int `json:"replicas" file:"replicas,after=name,min=1"`
}

var (
	clusterType = reflect.TypeFor[orchestrator.Spec]()
	nodeType    = reflect.TypeFor[orchestrator.NodeSpec]()
	portType    = reflect.TypeFor[orchestrator.PortSpec]()
	hostType    = reflect.TypeFor[orchestrator.HostSpec]()
)

// mappings are the keys of each struct that a file writes as a mapping, in the order of the
// struct's fields.
var mappings = func() map[reflect.Type][]key {
	all := map[reflect.Type][]key{}
	addMappings(all, clusterType)
	return all
}()

// addMappings adds the keys of the struct t, or of the structs in a list or a map of them.
func addMappings(all map[reflect.Type][]key, t reflect.Type) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || all[t] != nil || reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return
	}
	keys := fieldKeys(t)
	if only := fileOnly[t]; only != nil {
		for _, k := range fieldKeys(only) {
			before := slices.IndexFunc(keys, func(b key) bool { return slices.Contains(k.options(), "after="+b.name) })
			keys = slices.Insert(keys, before+1, k)
		}
	}
	all[t] = keys
	for _, k := range keys {
		addMappings(all, k.field.Type)
	}
}

// fieldKeys returns the fields of a struct that are keys.
func fieldKeys(t reflect.Type) []key {
	var keys []key
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		form, _, _ := strings.Cut(f.Tag.Get("file"), ",")
		if form != "-" && name != "-" {
			keys = append(keys, key{name, form, t, f})
		}
	}
	return keys
}

// Field returns the field of [orchestrator.Spec] that a key of a file sets, with the keys
// and the fields of nested mappings after a dot: "distribution.port" is Distribution.Port,
// and a node's "nodes.http_port" is Nodes.HTTPPort.
func Field(path string) (name string, ok bool) {
	var fields []string
	in := clusterType
	for part := range strings.SplitSeq(path, ".") {
		k, ok := find(in, part)
		if !ok || k.in != in {
			return "", false
		}
		fields, in = append(fields, k.field.Name), k.field.Type
		for in.Kind() == reflect.Slice || in.Kind() == reflect.Map {
			in = in.Elem()
		}
	}
	return strings.Join(fields, "."), true
}

// options returns what follows the form in a key's tag.
func (k key) options() []string {
	_, options, _ := strings.Cut(k.field.Tag.Get("file"), ",")
	return strings.FieldsFunc(options, func(c rune) bool { return c == ',' })
}

// keysOf returns the names of the keys of a mapping.
func keysOf(t reflect.Type) []string {
	var names []string
	for _, k := range mappings[t] {
		names = append(names, k.name)
	}
	return names
}

// find returns a key of a mapping.
func find(t reflect.Type, name string) (key, bool) {
	for _, k := range mappings[t] {
		if k.name == name {
			return k, true
		}
	}
	return key{}, false
}
