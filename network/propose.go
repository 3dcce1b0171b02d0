package network

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// Sanitize makes a valid cluster name from any text, such as the name of a folder or a
// test: "My_App" becomes "my-app". The result is never empty. A text that is too long is
// truncated and gets a hash of the whole text, so that two long names with a common
// prefix stay different.
func Sanitize(s string) string { return label(s, MaxCluster, "cluster") }

// label makes a legal label of at most limit bytes, and never an empty one.
func label(s string, limit int, fallback string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	out := strings.Join(words, "-")
	switch {
	case out == "":
		return fallback
	case len(out) > limit:
		h := fnv.New32a()
		h.Write([]byte(s))
		mark := fmt.Sprintf("-%04x", h.Sum32()&0xffff)
		return strings.TrimRight(out[:limit-len(mark)], "-") + mark
	}
	return out
}

// Nearest returns the element of known with the smallest edit distance to name, or "" if
// there is none. The distance must be at most two and less than half the length of name.
// The first of several nearest ones wins. Case is ignored. The result is never name
// itself.
func Nearest(name string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		switch d := edits(strings.ToLower(name), strings.ToLower(k)); {
		case k == name:
		case d < distance && 2*d < len(k):
			best, distance = k, d
		}
	}
	return best
}

// edits is the number of bytes that are changed, added, left out or swapped with the
// next one between a and b (optimal string alignment).
func edits(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// base makes a legal base.
func base(s string) string {
	s = strings.TrimLeft(strings.Map(func(r rune) rune {
		if badBase("x"+string(r)) != "" {
			return '_'
		}
		return r
	}, s), "-_")
	if len(s) > MaxBase {
		s = s[:MaxBase]
	}
	if s == "undefined" || s == "" {
		return DefaultBase
	}
	return s
}

// domain makes a legal domain; its last labels are the ones worth keeping.
func domain(s string) string {
	labels := strings.Split(s, ".")
	kept := ""
	for i := len(labels) - 1; i >= 0; i-- {
		l := label(labels[i], MaxDomain, "")
		longer := strings.TrimSuffix(l+"."+kept, ".")
		if l != "" && badDomain(longer) == "" {
			kept = longer
		}
	}
	return or(kept, DefaultDomain)
}

// beamName makes a legal full name.
func beamName(before, host string) string {
	if badBase(before) != "" {
		before = base(before)
	}
	host, _, _ = strings.Cut(host, "@")
	if !strings.Contains(host, ".") {
		return before + "@" + label(host, MaxNode, "n1") + "." + DefaultDomain
	}
	first, rest, _ := strings.Cut(host, ".")
	return before + "@" + label(first, MaxNode, "n1") + "." + domain(rest)
}
