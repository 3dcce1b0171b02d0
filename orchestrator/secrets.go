package orchestrator

import (
	"cmp"
	"slices"
	"strings"
)

// SecretValues are what must never be printed of a cluster: its cookie and the
// values of [Spec].Secrets, the longest first. Values of less than four
// characters are left out: to mask them would garble unrelated text.
func (s Spec) SecretValues() []string {
	var values []string
	add := func(value string) {
		if len(value) >= 4 && !slices.Contains(values, value) {
			values = append(values, value)
		}
	}
	add(s.Cookie)
	for _, key := range s.Secrets {
		add(s.Env[key])
		for _, n := range s.Nodes {
			add(n.Env[key])
		}
	}
	slices.SortStableFunc(values, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return values
}

// redactor replaces the values that must not be printed. See [Spec.Secrets].
func redactor(s Spec) *strings.Replacer {
	var pairs []string
	for _, value := range s.SecretValues() { // of two that begin alike the longer one is taken
		pairs = append(pairs, value, "[secret]")
	}
	return strings.NewReplacer(pairs...)
}

// DumpPath is where a node writes its crash dump inside its container:
// ERL_CRASH_DUMP of its environment, or /tmp/erl_crash.dump.
func DumpPath(s Spec, node string) string { return dumpPath(s, node) }
