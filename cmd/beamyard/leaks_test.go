//go:build leaks

package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// leaks looks for secrets in everything that a scenario gets to see.
type leaks struct {
	t     *testing.T
	forms map[string]string // what to look for, and the secret that it is a form of
	seen  int               // bytes that were searched
	found map[string]bool   // what was reported: a leak is often in many places
}

// kernel is the part of a planted secret that is looked for. It is alphanumeric, so that it is the same
// text however the secret is quoted: in a URL, in JSON, in a shell, by inspect; and a secret that
// was cut before it was masked is found by what is left of it.
var kernel = regexp.MustCompile(`Leaked[A-Za-z0-9]{10}`)

// plant adds a secret to what is looked for. It must have a kernel.
func (l *leaks) plant(name, value string) {
	l.t.Helper()
	found := kernel.FindString(value)
	if found == "" {
		l.t.Fatalf("%s has no kernel: %q", name, value)
	}
	l.look(name, found)
}

// look adds a text to what is looked for: as it is, in hexadecimal and in base64.
func (l *leaks) look(name, text string) {
	if l.forms == nil {
		l.forms, l.found = map[string]string{}, map[string]bool{}
	}
	l.forms[text] = name
	l.forms[hex.EncodeToString([]byte(text))] = name + " in hexadecimal"
	l.forms[strings.ToUpper(hex.EncodeToString([]byte(text)))] = name + " in hexadecimal"
	for before := range 3 { // three bytes are four characters
		all := base64.StdEncoding.EncodeToString(append(make([]byte, before), text...))
		part := all[(before*8+5)/6 : (before+len(text))*8/6]
		l.forms[part] = name + " in base64"
		l.forms[strings.NewReplacer("+", "-", "/", "_").Replace(part)] = name + " in base64"
	}
}

// in reports each secret that a text has.
func (l *leaks) in(where, text string) {
	l.t.Helper()
	l.seen += len(text)
	for form, name := range l.forms {
		at := strings.Index(text, form)
		if at < 0 || l.found[where+name] {
			continue
		}
		l.found[where+name] = true
		l.t.Errorf("%s shows %s: …%q…", where, name, text[max(0, at-150):min(len(text), at+len(form)+50)])
	}
}

// inside searches a decoded JSON value, except for places that match allowed. A place is written as
// Config.Env.3.
func (l *leaks) inside(where string, value any, at string, allowed *regexp.Regexp) {
	l.t.Helper()
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			l.in(where+" "+at, key)
			l.inside(where, inner, strings.TrimPrefix(at+"."+key, "."), allowed)
		}
	case []any:
		for i, inner := range v {
			l.inside(where, inner, fmt.Sprintf("%s.%d", at, i), allowed)
		}
	case string:
		if !allowed.MatchString(at) {
			l.in(where+" "+at, v)
		}
	}
}

// withoutNodes removes the lines of nodes from an output that shows them as they are.
func withoutNodes(text string) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, nodeSays) }), "")
}

// nodeSays marks what a node of the scenario prints.
const nodeSays = "node says"

// The search finds a secret in each form, and what was cut off.
func TestLeaksAreFound(t *testing.T) {
	const secret = `tok"en-LeakedABCDEFGHIJ+/%`
	for name, text := range map[string]string{
		"as it is": secret, "cut": "LeakedABCDEFGHIJ", "in a URL": "tok%22en-LeakedABCDEFGHIJ%2B%2F%25", "in JSON": `tok\"en-LeakedABCDEFGHIJ+`,
		"in base64": base64.StdEncoding.EncodeToString([]byte(secret)), "in base64 with a user": base64.StdEncoding.EncodeToString([]byte("a:" + secret)),
		"in base64 for URLs": base64.URLEncoding.EncodeToString([]byte("ab:" + secret)), "in hexadecimal": fmt.Sprintf("%x", secret),
	} {
		l := &leaks{t: t}
		l.plant("TOKEN", secret)
		if !slices.ContainsFunc(slices.Collect(maps.Keys(l.forms)), func(form string) bool { return strings.Contains(text, form) }) {
			t.Errorf("%s: not found in %s", name, text)
		}
	}
	if got := withoutNodes("n1 | node says x\nerror: x\n"); got != "error: x\n" {
		t.Errorf("%q", got)
	}
}
