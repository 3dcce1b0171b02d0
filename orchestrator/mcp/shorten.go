package mcp

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of a result, in bytes. An assistant reads a token for every three or four of them, and
// programs cut or refuse results of more than 25,000 tokens.
const (
	maxText   = 24 << 10
	maxValue  = 48 << 10
	maxString = 8 << 10 // of one string in a value
)

// maxHalvings is how many lists are halved: those of a cluster are a few of at most some thousand
// items. An answer with thousands of lists would take seconds.
const maxHalvings = 100

// shorten cuts a result to its bounds, and says in its text what was left out. Pure.
func shorten(r result, t tool) result {
	var left []string
	if value, ok := r.value.(map[string]any); ok {
		value, left = shortenValue(value, t)
		r.value = value
	}
	if len(r.text) > maxText {
		left = append(left, fmt.Sprintf("%d of %d bytes of text", len(r.text)-maxText, len(r.text)))
		r.text = cutLines(r.text, maxText, t.newest)
	}
	if len(left) > 0 {
		note := fmt.Sprintf("cut, because it was too long: %s; ask for less (a node, fewer lines, grep)", strings.Join(left, "; "))
		r.text = strings.TrimRight(r.text, "\n") + "\n" + note + "\n"
		if value, ok := r.value.(map[string]any); ok {
			value["cut"] = note
		}
	}
	return r
}

// shortenValue cuts strings, and then lists, until a value has at most maxValue bytes.
func shortenValue(value map[string]any, t tool) (map[string]any, []string) {
	var left []string
	if size(value) > maxValue && t.lighten != nil {
		left = append(left, t.lighten(value))
	}
	for most := maxString; ; most /= 2 {
		if cut := cutStrings(value, most); cut > 0 && most == maxString {
			left = append(left, fmt.Sprintf("strings of more than %d bytes", most))
		}
		dropped := map[string]int{}
		for range maxHalvings {
			l := longestList(value)
			if size(value) <= maxValue || l.set == nil {
				break
			}
			keep := len(l.items) / 2
			dropped[l.key] += len(l.items) - keep
			if t.newest {
				l.set(l.items[len(l.items)-keep:])
			} else {
				l.set(l.items[:keep])
			}
		}
		for _, key := range sorted(dropped) {
			left = append(left, fmt.Sprintf("%d %s", dropped[key], key))
		}
		switch {
		case size(value) <= maxValue:
			return value, left
		case most < 64: // many small things that are no list
			return map[string]any{}, append(left, "everything")
		}
	}
}

// size returns the length of a value as JSON.
func size(v any) int {
	data, _ := json.Marshal(v) // it was decoded from JSON
	return len(data)
}

// list is a list in a value.
type list struct {
	key   string // of the object that has it
	items []any
	size  int
	set   func([]any) // replaces it; nil: there is no list
}

// longestList returns the longest list in an object that has at least two items. A list in a list
// is shorter than that.
func longestList(in map[string]any) (most list) {
	for _, key := range sorted(in) {
		var l list
		items, _ := in[key].([]any)
		switch object, _ := in[key].(map[string]any); {
		case len(items) > 1:
			l = list{key, items, size(items), func(items []any) { in[key] = items }}
		case len(items) == 1:
			if object, ok := items[0].(map[string]any); ok {
				l = longestList(object)
			}
		default:
			l = longestList(object)
		}
		if l.size > most.size {
			most = l
		}
	}
	return most
}

// cutStrings cuts the strings in a value, and returns how many were too long.
func cutStrings(v any, most int) (cut int) {
	short := func(part any) any {
		text, ok := part.(string)
		if !ok || len(text) <= most {
			cut += cutStrings(part, most)
			return part
		}
		cut++
		return cutText(text, most)
	}
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = short(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = short(v[key])
		}
	}
	return cut
}

// cutText returns the beginning of a text, in whole characters, with a mark.
func cutText(text string, most int) string {
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}

// cutLines returns the first or the last lines of a text.
func cutLines(text string, most int, newest bool) string {
	if newest {
		rest := text[len(text)-most:]
		if _, whole, ok := strings.Cut(rest, "\n"); ok && whole != "" {
			return "…\n" + whole
		}
		return "…" + strings.ToValidUTF8(rest, "")
	}
	if i := strings.LastIndexByte(text[:most], '\n'); i > 0 {
		return text[:i+1] + "…\n"
	}
	return cutText(text, most)
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// failuresOnly removes from a health report the checks that passed, and what nodes measured.
func failuresOnly(report map[string]any) string {
	checks, _ := report["checks"].([]any)
	report["checks"] = slices.DeleteFunc(checks, func(c any) bool {
		check, ok := c.(map[string]any)
		return ok && check["state"] == "passed"
	})
	nodes, _ := report["nodes"].([]any)
	for _, n := range nodes {
		if node, ok := n.(map[string]any); ok {
			delete(node, "sample")
		}
	}
	return "checks that passed, and what the nodes measured"
}
