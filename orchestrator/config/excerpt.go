package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/token"
)

// excerptLine matches a line of the file in an error: a mark, its number, its text.
var excerptLine = regexp.MustCompile(`^(>? *)([0-9]+)( \| )(.*)$`)

// masked removes from an error's text the values of the cookie and of the keys that secrets
// lists: their lines end at the key. at is any token of the file.
func masked(text string, at *token.Token) string {
	for at != nil && at.Prev != nil {
		at = at.Prev
	}
	hidden := secretLines(at)
	if len(hidden) == 0 {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		part := excerptLine.FindStringSubmatch(line)
		if part == nil {
			continue
		}
		n, _ := strconv.Atoi(part[2]) // digits
		if key, hide := hidden[n]; hide {
			before, _, _ := strings.Cut(part[4], key)
			if before == part[4] { // a line that contains only a part of the value
				before, key = "", ""
			}
			lines[i] = part[1] + part[2] + part[3] + before + key + "…"
		}
	}
	return strings.Join(lines, "\n")
}

// secretLines returns the lines that contain secret values, each with the text at which the
// visible part ends.
func secretLines(first *token.Token) map[int]string {
	keys := append([]string{"cookie"}, secretKeys(first)...)
	lines := map[int]string{}
	hide := func(line int, end string) {
		if _, before := lines[line]; !before {
			lines[line] = end
		}
	}
	for t := first; t != nil; t = t.Next {
		if name, _, given := strings.Cut(t.Value, "="); given && slices.Contains(keys, name) {
			hide(t.Position.Line, name+"=")
		}
		if !isKey(t) || !slices.Contains(keys, t.Value) {
			continue
		}
		for v := t.Next; v != nil && !isKey(v); v = v.Next {
			last := v.Position.Line + strings.Count(strings.TrimRight(v.Origin, "\n"), "\n")
			for line := t.Position.Line; line <= last; line++ {
				hide(line, t.Value)
			}
		}
	}
	return lines
}

// secretKeys returns the keys that the file's own list names.
func secretKeys(first *token.Token) (keys []string) {
	for t := first; t != nil; t = t.Next {
		if t.Value != "secrets" || !isKey(t) {
			continue
		}
		for v := t.Next; v != nil && !isKey(v); v = v.Next {
			if v.Type == token.StringType || v.Type == token.SingleQuoteType || v.Type == token.DoubleQuoteType {
				keys = append(keys, v.Value)
			}
		}
	}
	return keys
}

func isKey(t *token.Token) bool { return t.Next != nil && t.Next.Type == token.MappingValueType }
