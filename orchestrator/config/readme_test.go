package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest/generated"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// The tables of keys in README.md are those of the schema. UPDATE=1 writes them.
func TestReadmeListsTheKeys(t *testing.T) {
	r := newReference(t)
	for name, of := range map[string]reflect.Type{
		"keys of the file": clusterType,
		"keys of a node":   nodeType,
		"keys of a check":  reflect.TypeFor[orchestrator.Check](),
		"keys of restart":  reflect.TypeFor[orchestrator.RestartPolicy](),
		"keys of health":   reflect.TypeFor[health.Thresholds](),
	} {
		var b strings.Builder
		b.WriteString("\n| key | value | default | meaning |\n|---|---|---|---|\n")
		r.rows(&b, "", of)
		generated.Check(t, "README.md", name, b.String()+"\n")
	}
}

// rows writes a row for each key of a mapping, and for the keys of mappings in it that have
// no table of their own.
func (r *reference) rows(b *strings.Builder, prefix string, t reflect.Type) {
	for _, k := range mappings[t] {
		s := r.key(k)
		value := ""
		if v := s.get("default"); v != nil {
			value = fmt.Sprintf("`%v`", v)
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s |\n", prefix, k.name, r.written(s), value, strings.ReplaceAll(s.get("description").(string), "|", `\|`))
		in := k.name + "."
		of := k.field.Type
		if of.Kind() == reflect.Slice {
			in, of = k.name+"[].", of.Elem()
		}
		if of.Kind() == reflect.Map {
			in, of = k.name+".NAME.", of.Elem()
		}
		if mappings[of] != nil && (definitionOf(of) == "" || of == portType || of == hostType) {
			r.rows(b, prefix+in, of)
		}
	}
}

// written says what a value looks like.
func (r *reference) written(s object) string {
	if ref, ok := s.get("$ref").(string); ok {
		name := strings.TrimPrefix(ref, "#/$defs/")
		form, ok := r.forms.get(name).(json.RawMessage)
		if !ok {
			return "map"
		}
		var titled struct{ Title string }
		if err := json.Unmarshal(form, &titled); err != nil || titled.Title == "" {
			r.t.Errorf("form %s has no title (%v)", name, err)
		}
		return titled.Title
	}
	if words, ok := s.get("enum").([]string); ok {
		return "`" + strings.Join(words, "`, `") + "`"
	}
	switch kind := s.get("type").(string); kind {
	case "array":
		items := s.get("items").(object)
		if ref, ok := items.get("$ref").(string); ok {
			return "list of " + strings.TrimPrefix(ref, "#/$defs/") + "s"
		}
		return "list of " + r.written(items) + "s"
	case "object":
		return "map"
	default:
		return kind
	}
}
