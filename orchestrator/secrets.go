package orchestrator

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// SecretValues returns the texts of a cluster that must never be printed: its cookie and
// the values of [Spec].Secrets, in all their [SecretForms].
func (s Spec) SecretValues() []string {
	values := append([]string{s.Cookie}, s.proxySecrets()...)
	for _, key := range s.Secrets {
		values = append(values, s.Env[key])
		for i, n := range s.Nodes {
			values = append(values, n.Env[key], words(s, i).Replace(s.filled(i).Env[key]))
		}
	}
	return SecretForms(values...)
}

// SecretForms returns the forms in which secret values are printed, the longest first: as
// they are; line by line, as a multi-line key appears in a log; and quoted, as in JSON
// and `inspect`. It omits values of fewer than four characters and lines of fewer than
// eight: masking them would garble unrelated text.
func SecretForms(values ...string) []string {
	const shortest, shortestLine = 4, 8
	var forms []string
	add := func(text string, atLeast int) {
		for _, form := range []string{text, quoted(text), inspected.Replace(text)} {
			if len(text) >= atLeast && !slices.Contains(forms, form) {
				forms = append(forms, form)
			}
		}
	}
	for _, value := range values {
		add(value, shortest)
		for line := range strings.Lines(value) {
			add(strings.TrimSpace(line), shortestLine)
		}
	}
	slices.SortStableFunc(forms, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return forms
}

// quoted returns a text as it appears in a JSON string (RFC 8259, section 7).
func quoted(text string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string, into memory
	return b.String()[1 : b.Len()-2]
}

// inspected escapes a text as it appears in a string printed by `inspect`. Source:
// Elixir's "Syntax reference", strings.
var inspected = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "#{", `\#{`, "\a", `\a`, "\b", `\b`, "\t", `\t`,
	"\n", `\n`, "\v", `\v`, "\f", `\f`, "\r", `\r`, "\x1b", `\e`, "\x7f", `\d`, "\x00", `\0`)

// redactor replaces the values that must not be printed. See [Spec.Secrets].
func redactor(s Spec) *strings.Replacer {
	var pairs []string
	for _, value := range s.SecretValues() { // of two with the same beginning, the longer one is matched
		pairs = append(pairs, value, "[secret]")
	}
	return strings.NewReplacer(pairs...)
}

// DumpPath returns where a node writes its crash dump inside its container:
// ERL_CRASH_DUMP of its environment, or /tmp/erl_crash.dump.
func DumpPath(s Spec, node string) string { return dumpPath(s, node) }
