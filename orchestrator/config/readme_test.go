package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// The tables of keys in README.md are those of the schema. UPDATE=1 writes them.
func TestReadmeListsTheKeys(t *testing.T) {
	data, err := os.ReadFile("beamyard.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var root schema
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	section := func(name string, keys *keys) {
		var b strings.Builder
		root.table(&b, "", keys)
		current(t, "README.md", name, "\n"+b.String()+"\n")
	}
	section("keys of the file", root.Properties)
	section("keys of a node", root.Defs["node"].Properties)
	section("keys of a check", root.Defs["check"].Properties)
	section("keys of restart", root.Defs["restart"].Properties)
	section("keys of health", root.Defs["thresholds"].Properties)
}

// schema is the part of JSON Schema that beamyard.schema.json uses.
type schema struct {
	Title, Description string
	Type               any // a name, or a list of names
	Default            any
	Enum               []any
	Ref                string `json:"$ref"`
	Properties         *keys
	Items              *schema
	Defs               map[string]*schema `json:"$defs"`
}

// keys are properties in the order of the file, which a map loses.
type keys struct {
	names   []string
	schemas map[string]*schema
}

func (k *keys) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &k.schemas); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil { // {
		return err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		k.names = append(k.names, name.(string))
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return err
		}
	}
	return nil
}

// table writes a row for each key, those of nested objects with their path.
func (root schema) table(b *strings.Builder, prefix string, keys *keys) {
	if prefix == "" {
		b.WriteString("| key | value | default | meaning |\n|---|---|---|---|\n")
	}
	for _, name := range keys.names {
		s := root.resolve(keys.schemas[name])
		value := ""
		if s.Default != nil {
			value = fmt.Sprintf("`%v`", s.Default)
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s |\n", prefix, name, root.form(s), value, strings.ReplaceAll(s.Description, "|", `\|`))
		if s.Properties != nil {
			root.table(b, prefix+name+".", s.Properties)
		} else if s.Items != nil && s.Items.Ref == "" && s.Items.Properties != nil {
			root.table(b, prefix+name+"[].", s.Items.Properties)
		}
	}
}

// resolve follows a reference; what stands beside it wins.
func (root schema) resolve(s *schema) schema {
	if s.Ref == "" {
		return *s
	}
	def := *root.Defs[strings.TrimPrefix(s.Ref, "#/$defs/")]
	if s.Description != "" {
		def.Description = s.Description
	}
	if s.Default != nil {
		def.Default = s.Default
	}
	if def.Properties != nil {
		def.Properties = nil // it has a table of its own
	}
	return def
}

// form says what a value looks like.
func (root schema) form(s schema) string {
	switch {
	case s.Title != "":
		return s.Title
	case s.Enum != nil:
		words := make([]string, len(s.Enum))
		for i, word := range s.Enum {
			words[i] = fmt.Sprintf("`%v`", word)
		}
		return strings.Join(words, ", ")
	case s.Type == "array" && s.Items.Ref != "":
		return "list of " + strings.TrimPrefix(s.Items.Ref, "#/$defs/") + "s"
	case s.Type == "array":
		return "list of " + root.form(*s.Items) + "s"
	case s.Type == "object":
		return "map"
	}
	return fmt.Sprint(s.Type)
}

// current compares a generated part of a file with what it should be; UPDATE=1 writes it.
func current(t *testing.T, file, part, want string) {
	t.Helper()
	data, err := os.ReadFile(file)
	begin, end := "<!-- generated: "+part+" -->\n", "<!-- end -->"
	before, rest, begun := strings.Cut(string(data), begin)
	got, after, ended := strings.Cut(rest, end)
	switch {
	case err != nil, !begun, !ended:
		t.Fatalf("%s: no generated part %q (%v)", file, part, err)
	case got != want && os.Getenv("UPDATE") == "":
		t.Errorf("%s: the part %q is not current; update it: UPDATE=1 go test -run %s", file, part, t.Name())
	case got != want:
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
