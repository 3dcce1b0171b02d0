package config

import (
	"regexp"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/google/go-cmp/cmp"
)

// scalars are texts that YAML takes for numbers, booleans or dates, and some that
// it does not.
var scalars = []string{
	"0123", "00", "1.10", "1_000", "0x1F", "0X1f", "0o17", "0b11", "+5", "-0", "1e3", "1E3", "01e5", "1.", "+.5", "1e400",
	"99999999999999999999999", "1:30", "2026-01-01", "2026-01-01T00:00:00Z", "yes", "No", "on", "OFF", "true", "True", "FALSE",
	".inf", "-.INF", ".NaN", "~?", "=", "1.2.3", "v1.10", "a b", "http://n1:4000/#x", "é",
}

// A value that is to be text is the text that was written.
func TestScalarsArriveAsTheyWereWritten(t *testing.T) {
	for _, s := range scalars {
		t.Run(s, func(t *testing.T) {
			text := strings.ReplaceAll(`
name: V
base_image: V
basename: V
cookie: V
domain: V
user: V
mix_env: V
source: V
image: V
app: V
release_name: V
http_check: V
keep_dumps: V
command: [V, "V", 'V']
entrypoint: [V]
env:
  A: V
  V: x
files: {/a: V}
volumes: {a: V}
networks:
  a: [V]
labels: {a: V}
secrets: [V]
checks:
- name: V
  rpc: V
  expect: V
  exec: [V]
  nodes: [V]
ready: [{log: V}]
nodes:
- name: V
  image: V
  user: V
  command: [V]
  entrypoint: [V]
  env: {A: V}
  volumes: {a: V}
  networks:
    a: [V]
`, "V", s)
			c, err := decode(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			list, one, nets := []string{s}, map[string]string{"a": s}, map[string][]string{"a": {s}}
			want := orchestrator.Spec{
				Name: s, BaseImage: s, Basename: s, Cookie: s, Domain: s, User: s, MixEnv: s, Source: s, Image: s, App: s, ReleaseName: s, HTTPCheck: s, KeepDumps: s,
				Command: []string{s, s, s}, Entrypoint: list, Env: map[string]string{"A": s, s: "x"}, Files: map[string]string{"/a": s},
				Volumes: one, Networks: nets, Labels: one, Secrets: list,
				Checks: []orchestrator.Check{{Name: s, RPC: s, Expect: s, Exec: list, Nodes: list}}, Ready: []orchestrator.Check{{Log: s}},
				Nodes: []orchestrator.NodeSpec{{Name: s, Image: s, User: s, Command: list, Entrypoint: list, Env: map[string]string{"A": s}, Volumes: one, Networks: nets}},
			}
			got := c
			got.Pool = want.Pool
			if diff := cmp.Diff(want, got, comparePrefix); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEnvOfEachForm(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       map[string]string
	}{
		{"quotes", `env: {A: "0123", B: '1_000', C: "a\tb", D: ''}`, map[string]string{"A": "0123", "B": "1_000", "C": "a\tb", "D": ""}},
		{"blocks", "env:\n  A: |\n    1\n    2\n  B: >-\n    1\n    2\n  C: one\n    two\n", map[string]string{"A": "1\n2\n", "B": "1 2", "C": "one two"}},
		{"comments", "env:\n  A: 0123 # octal\n  B: a#b\n", map[string]string{"A": "0123", "B": "a#b"}},
		{"keys", "env: {0123: a, yes: b, 1.10: c, \"x\": d}", map[string]string{"0123": "a", "yes": "b", "1.10": "c", "x": "d"}},
		{"a key of its own line", "env:\n  ? A\n  : 0123\n", map[string]string{"A": "0123"}},
		{"an anchor", "env: {A: &v 0123, B: *v}", map[string]string{"A": "0123", "B": "0123"}},
		{"an anchor of a number", "http_port: &port 04000\nenv: {PORT: *port}", map[string]string{"PORT": "04000"}},
		{"an anchor that is used again", "basename: &v a\nuser: &v b\nenv: {A: *v}", map[string]string{"A": "b"}},
		{"tags", "env: {A: !!str 0123, B: !!int 0123, C: !!str , D: !!float 1.10}", map[string]string{"A": "0123", "B": "0123", "C": "", "D": "1.10"}},
		{"a directive", "%YAML 1.2\n---\nenv: {A: 0123}\n", map[string]string{"A": "0123"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := decode(strings.NewReader(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, c.Env); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMergeKeys(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []map[string]string // of the cluster, and of each node
	}{
		{"what is written wins", "env: &e {A: 1, B: 2}\nnodes:\n- {name: a, env: {<<: *e, B: 03}}\n- {name: b, env: {B: 04, <<: *e}}\n", []map[string]string{
			{"A": "1", "B": "2"}, {"A": "1", "B": "03"}, {"A": "1", "B": "04"},
		}},
		{"of several the first", "env: &e {A: 1}\nnodes:\n- name: a\n  env: &f {A: 2, B: 0x1}\n- name: b\n  env:\n    <<: [*f, *e, {C: 1_0}]\n", []map[string]string{
			{"A": "1"}, {"A": "2", "B": "0x1"}, {"A": "2", "B": "0x1", "C": "1_0"},
		}},
		{"a node", "nodes:\n- &n {name: a, env: {A: 01}}\n- {<<: *n, name: b}\n", []map[string]string{nil, {"A": "01"}, {"A": "01"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := decode(strings.NewReader(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			s := c
			got := []map[string]string{s.Env}
			for _, n := range s.Nodes {
				got = append(got, n.Env)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReferencesThatAreWrong(t *testing.T) {
	nine := strings.Repeat("*a, ", 9)
	bomb := "checks:\n- exec: &a [" + strings.Repeat("x, ", 9) + "]\n"
	for _, tc := range []struct{ name, text, want string }{
		{"no anchor", "cookie: *c", "[1:10] no anchor &c stands before this"},
		{"an anchor that follows", "cookie: *c\nuser: &c web", "[1:10] no anchor &c stands before this"},
		{"an alias of itself", "env: &e {A: *e}", "[1:13] this stands for itself, without an end"},
		{"a merge of itself", "env: &e {<<: *e}", "[1:14] this stands for itself, without an end"},
		{"a merge of a text", "user: &u web\nenv: {<<: *u}", "[2:11] << takes a mapping, or a list of them"},
		{"a tag of another program", "cookie: !secret c", "[1:9] !secret has no meaning in beamyard.yml: leave it out"},
		{"a number's tag on a list", "secrets: !!int 3", "[1:10] this must be a list, not !!int"},
		{"a number's tag on a list of mappings", "checks: !!float 3", "[1:9] this must be a list, not !!float"},
		{"a list as a key", "env: {[a]: b}", "found an invalid key for this map"},
		{"a number as a key", "name: a\n1: b", `[2:1] unknown field "1"`},
		{"the same key as text and number", "env: {1: a, '1': b}", `mapping key "1" already defined`},
		{"the same key twice, as an anchor's", "basename: &k A\nenv: {A: 1, *k : 2}", "[1:14] A is here twice"},
		{"a colon in a list in braces", "nodes: [{name: a, command: [1:30]}]", "[1:30] this must be text, and YAML reads a mapping: put it in quotes"},
		{"aliases of aliases", bomb + "- exec: &b [" + nine + "]\n- exec: &c [" + strings.ReplaceAll(nine, "a", "b") + "]\n- exec: &d [" + strings.ReplaceAll(nine, "a", "c") +
			"]\n- exec: &e [" + strings.ReplaceAll(nine, "a", "d") + "]\n- exec: &f [" + strings.ReplaceAll(nine, "a", "e") + "]\n- exec: [" + strings.ReplaceAll(nine, "a", "f") + "]\n", "the aliases make more than 100000 values of this file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := decode(strings.NewReader(tc.text))
			if err == nil {
				t.Fatal("no error")
			}
			if text, _ := explain(err); !strings.Contains(text, tc.want) {
				t.Errorf("%s, want %s", text, tc.want)
			}
		})
	}
}

// Whatever is written as env's value and is one line of plain text arrives so.
func FuzzScalars(f *testing.F) {
	for _, s := range scalars {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !regexp.MustCompile(`^[-+.]?[0-9A-Za-z_][0-9A-Za-z_.+-]*$`).MatchString(s) || strings.EqualFold(s, "null") {
			return // more than a word
		}
		c, err := decode(strings.NewReader("env:\n  A: " + s + "\nnodes: [{name: a, env: {A: " + s + "}}]\n"))
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if got := c; got.Env["A"] != s || got.Nodes[0].Env["A"] != s {
			t.Errorf("%q: %q, %q", s, got.Env["A"], got.Nodes[0].Env["A"])
		}
	})
}
