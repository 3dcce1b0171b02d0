package config

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	name  string
	value any
}

func (o object) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It sorts the members.
func (o *object) UnmarshalJSON(data []byte) error {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		*o = append(*o, member{name, members[name]})
	}
	return nil
}

// write writes a value: an object with properties on a line for each, others on one line.
func write(b *strings.Builder, indent string, v any) {
	switch v := v.(type) {
	case object:
		lines := indent == "" || v.get("properties") != nil
		members(b, indent, v, lines)
	case []object:
		b.WriteByte('[')
		for i, o := range v {
			b.WriteString(strings.Repeat(", ", min(i, 1)))
			write(b, indent+"  ", o)
		}
		b.WriteByte(']')
	case []string:
		b.WriteByte('[')
		for i, s := range v {
			b.WriteString(strings.Repeat(", ", min(i, 1)))
			write(b, indent, s)
		}
		b.WriteByte(']')
	case json.RawMessage:
		b.Write(v)
	default:
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			panic(err)
		}
		b.WriteString(strings.TrimSpace(text.String()))
	}
}

// members writes an object, on a line for each member or on one line for all.
func members(b *strings.Builder, indent string, o object, lines bool) {
	inner, separator, end := "", ", ", ""
	if lines {
		inner, separator, end = "\n"+indent+"  ", ",", "\n"+indent
	}
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(inner)
		write(b, indent, m.name)
		b.WriteString(": ")
		if keys, ok := m.value.(object); ok && (m.name == "properties" || m.name == "$defs") {
			members(b, indent+"  ", keys, true)
		} else {
			write(b, indent+"  ", m.value)
		}
	}
	b.WriteString(end + "}")
}
