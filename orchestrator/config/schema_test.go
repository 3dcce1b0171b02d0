package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// beamyard.schema.json is made of the structs that a file fills: their fields, the fields'
// tags and comments, and the defaults of the zero spec. UPDATE=1 writes it.
func TestSchemaIsCurrent(t *testing.T) {
	want := newReference(t).schema()
	got, err := os.ReadFile("beamyard.schema.json")
	switch {
	case err != nil:
		t.Fatal(err)
	case string(got) != want && os.Getenv("UPDATE") == "":
		t.Errorf("beamyard.schema.json is not current; update it: UPDATE=1 go test ./orchestrator/config")
	case string(got) != want:
		if err := os.WriteFile("beamyard.schema.json", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A file may have each key of the schema, at every level.
func TestEachKeyOfTheSchemaDecodes(t *testing.T) {
	data, err := os.ReadFile("beamyard.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type properties struct{ Properties map[string]properties }
	var schema struct {
		properties
		Defs map[string]properties `json:"$defs"`
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		text string
		keys properties
	}{
		{"%s: ", schema.properties},
		{"nodes: [{%s: }]", schema.Defs["node"]},
		{"nodes: [{ports: [{%s: }]}]", schema.Defs["published"]},
		{"hosts: {a: {%s: }}", schema.Defs["machine"]},
		{"checks: [{%s: }]", schema.Defs["check"]},
		{"restart: {%s: }", schema.Defs["policy"]},
		{"health: {%s: }", schema.Defs["health"]},
		{"distribution: {%s: }", schema.Properties["distribution"]},
		{"distribution: {tls: {%s: }}", schema.Defs["certificates"]},
		{"packages: {%s: }", schema.Properties["packages"]},
	} {
		if len(tc.keys.Properties) == 0 {
			t.Errorf("%s: the schema has no keys there", tc.text)
		}
		for key := range tc.keys.Properties {
			if _, err := decode(strings.NewReader(fmt.Sprintf(tc.text, key))); err != nil {
				t.Errorf(tc.text+": %v", key, err)
			}
		}
	}
}

// A field with the tag file:"-" is not a key.
func TestFieldsThatAFileCannotSet(t *testing.T) {
	for at, of := range map[string]reflect.Type{"%s: ": clusterType, "nodes: [{%s: }]": nodeType} {
		var hidden []string
		for f := range of.Fields() {
			if f.Tag.Get("file") != "-" {
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			hidden = append(hidden, f.Name)
			for _, name := range []string{name, strings.ToLower(f.Name), f.Name} {
				if _, err := decode(strings.NewReader(fmt.Sprintf(at, name))); err == nil {
					t.Errorf(at+": no error", name)
				}
			}
		}
		want := "File Precompiled ImageBoot Suite ImageEnv Proxies Subnet Owner"
		if of == nodeType {
			want = "ImageEnv Role Built Precompiled ImageBoot Release"
		}
		if got := strings.Join(hidden, " "); got != want {
			t.Errorf("a file cannot set these fields of %s: %s; want %s", of, got, want)
		}
	}
}

// definitions are the structs that have a name in $defs.
var definitions = []struct {
	of   reflect.Type
	name string
}{
	{nodeType, "node"},
	{portType, "published"},
	{hostType, "machine"},
	{reflect.TypeFor[orchestrator.Check](), "check"},
	{reflect.TypeFor[orchestrator.RestartPolicy](), "policy"},
	{reflect.TypeFor[orchestrator.TLS](), "certificates"},
	{reflect.TypeFor[health.Thresholds](), "health"},
}

func definitionOf(t reflect.Type) string {
	for _, d := range definitions {
		if d.of == t {
			return d.name
		}
	}
	return ""
}

// schema returns the text of beamyard.schema.json.
func (r *reference) schema() string {
	root := append(object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", "beamyard.yml"},
		{"description", "A cluster of Elixir/BEAM nodes for `beamyard up`. Every key is optional."},
		{"patternProperties", object{{"^x-", object{{"description", "Ignored: a place for YAML anchors."}}}}},
	}, r.mapping(clusterType)...)
	defs := r.forms
	for _, d := range definitions {
		if r.forms.get(d.name) != nil {
			r.t.Errorf("%s is the name of a form, and of the keys of %s", d.name, d.of)
		}
		defs = append(defs, member{d.name, r.mapping(d.of)})
	}
	root = append(root, member{"$defs", defs})
	var b strings.Builder
	write(&b, "", root)
	b.WriteByte('\n')
	return b.String()
}

// mapping is the schema of a struct.
func (r *reference) mapping(t reflect.Type) object {
	var properties object
	var required []string
	var oneOf []object
	for _, k := range mappings[t] {
		properties = append(properties, member{k.name, r.key(k)})
		for _, c := range constraints(k) {
			switch c.name {
			case "required":
				required = append(required, k.name)
			case "one":
				oneOf = append(oneOf, object{{"required", []string{k.name}}})
			}
		}
	}
	s := object{{"type", "object"}, {"additionalProperties", false}}
	if required != nil {
		s = append(s, member{"required", required})
	}
	if oneOf != nil {
		s = append(s, member{"oneOf", oneOf})
	}
	return append(s, member{"properties", properties})
}

// key is the schema of a key's value.
func (r *reference) key(k key) object {
	s := r.value(k)
	for _, c := range constraints(k) {
		if c.value != nil {
			s = append(s, c)
		}
	}
	value := r.defaultOf(k)
	if value != nil {
		s = append(s, member{"default", value})
	}
	return append(s, member{"description", r.describe(k, value)})
}

// value is the schema of a key's form, or else of its type.
func (r *reference) value(k key) object {
	form := formOf(k)
	if r.forms.get(form) != nil {
		return object{{"$ref", "#/$defs/" + form}}
	}
	if form != "" && forms[form] == nil {
		r.t.Errorf("key %s has the form %q, which is neither in forms nor in forms.json", k.name, form)
	}
	return r.typed(k.field.Type)
}

func (r *reference) typed(t reflect.Type) object {
	switch t.Kind() {
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Int, reflect.Int64:
		return object{{"type", "integer"}}
	case reflect.Float64:
		return object{{"type", "number"}}
	case reflect.String:
		if words := r.enums[t.String()]; words != nil {
			return object{{"enum", words}}
		}
		return object{{"type", "string"}}
	case reflect.Slice:
		return object{{"type", "array"}, {"items", r.typed(t.Elem())}}
	case reflect.Map:
		return object{{"type", "object"}, {"additionalProperties", object{{"type", []string{"string", "number", "boolean", "null"}}}}}
	case reflect.Struct:
		if name := definitionOf(t); name != "" {
			return object{{"$ref", "#/$defs/" + name}}
		}
		return r.mapping(t)
	}
	r.t.Fatalf("there is no schema for %s", t)
	return nil
}

// keywords are the constraints of a key's tag, and JSON Schema's words for them.
var keywords = map[string]string{
	"min": "minimum", "max": "maximum", "minLength": "minLength", "maxLength": "maxLength", "minItems": "minItems", "pattern": "pattern",
}

// constraints returns the constraints of a key, in JSON Schema's words. Those of its mapping
// have no value.
func constraints(k key) []member {
	var all []member
	for _, c := range k.options() {
		name, value, _ := strings.Cut(c, "=")
		switch word := keywords[name]; {
		case name == "unique":
			all = append(all, member{"uniqueItems", true})
		case word == "pattern":
			all = append(all, member{word, value})
		case word != "":
			all = append(all, member{word, json.Number(value)})
		case name == "required", name == "one", name == "after":
			all = append(all, member{name, nil})
		default:
			panic(fmt.Sprintf("key %s has an unknown constraint: %s", k.name, c))
		}
	}
	return all
}

// defaultOf returns the default of a key as a file writes it, nil if it has none.
func (r *reference) defaultOf(k key) any {
	if k.field.Type.Kind() == reflect.Bool {
		return false
	}
	of := r.defaults[k.in]
	if !of.IsValid() {
		return nil
	}
	v := of.FieldByIndex(k.field.Index)
	if v.IsZero() {
		return nil
	}
	switch v := v.Interface().(type) {
	case time.Duration:
		text := v.String()
		if strings.HasSuffix(text, "m0s") {
			text = strings.TrimSuffix(text, "0s")
		}
		return text
	case netip.Prefix:
		return v.String()
	}
	switch v.Kind() {
	case reflect.String, reflect.Int, reflect.Int64, reflect.Float64:
		return v.Interface()
	}
	return nil
}
