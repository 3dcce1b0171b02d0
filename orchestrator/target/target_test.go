package target

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/ask"
)

var spec = orchestrator.Spec{Nodes: []orchestrator.NodeSpec{
	{Name: "web1", Role: "web", Host: "a"}, {Name: "web2", Role: "web", Host: "b"}, {Name: "w1", Role: "worker", Host: "a"}, {Name: "w2", Role: "worker", Host: "b"}, {Name: "db", Host: "a"},
}, Hosts: map[string]orchestrator.HostSpec{"a": {}, "b": {}, "c": {}}}

func TestSplit(t *testing.T) {
	for _, tc := range []struct {
		text      string
		separator byte
		want      []string
	}{
		{"n1", ',', []string{"n1"}},
		{"n1,n2", ',', []string{"n1", "n2"}},
		{"n1:n2", ':', []string{"n1", "n2"}},
		{"", ',', []string{""}},
		{"n1,", ',', []string{"n1", ""}},
		{"@one,@minority", ',', []string{"@one", "@minority"}},
		{"@leader:f(1, 2)", ',', []string{"@leader:f(1, 2)"}},
		{"n1,@leader:f(1, 2), g", ',', []string{"n1", "@leader:f(1, 2), g"}},
		{"n1:@leader:A.b(:c)", ':', []string{"n1", "@leader:A.b(:c)"}},
		{"@leader:(f(1, 2)),n1", ',', []string{"@leader:(f(1, 2))", "n1"}},
		{"@leader:(f(:a)):n1", ':', []string{"@leader:(f(:a))", "n1"}},
		{"@leader:(f(:a)):@leader:(g())", ':', []string{"@leader:(f(:a))", "@leader:(g())"}},
		{`@leader:(f(")", ')', ?), "\")")),n1`, ',', []string{`@leader:(f(")", ')', ?), "\")"))`, "n1"}},
		{"@leader:(f).(1),n1", ',', []string{"@leader:(f).(1),n1"}}, // not closed by the parenthesis of its begin
		{"@leader:(f", ',', []string{"@leader:(f"}},
		{"demo/n1,demo/@leader:f(1, 2)", ',', []string{"demo/n1", "demo/@leader:f(1, 2)"}},
		{"n1:@leader:f(1, 2),n2", ',', []string{"n1:@leader:f(1, 2),n2"}},
		{"n1:@leader:(f(1, 2)),n2:n3", ',', []string{"n1:@leader:(f(1, 2))", "n2:n3"}},
		{"n1:n2,n2:n3", ',', []string{"n1:n2", "n2:n3"}},
		{"x@leader:a,b", ',', []string{"x@leader:a", "b"}},
		{"@host:a", ':', []string{"@host:a"}},
		{"@host:a:@host:b", ':', []string{"@host:a", "@host:b"}},
		{"n1:@host:b", ':', []string{"n1", "@host:b"}},
		{"@host:b:n1", ':', []string{"@host:b", "n1"}},
		{"demo/@host:b:@leader:f(:a)", ':', []string{"demo/@host:b", "@leader:f(:a)"}},
		{"@leader:(f(:a)):@host:b", ':', []string{"@leader:(f(:a))", "@host:b"}},
		{"@host:a,@host:b", ',', []string{"@host:a", "@host:b"}},
		{"x@host:a", ':', []string{"x@host", "a"}},
	} {
		if diff := cmp.Diff(tc.want, Split(tc.text, tc.separator)); diff != "" {
			t.Errorf("%q: %s", tc.text, diff)
		}
	}
}

func TestNodes(t *testing.T) {
	leader := func(expression string) (string, error) {
		if expression != "f(1, 2)" {
			return "", errors.New("another one: " + expression)
		}
		return "w2", nil
	}
	for targets, want := range map[string]string{
		"w1":                     "w1",
		"worker":                 "w1 w2",
		"w1|worker|w1":           "w1 w2",
		"w*":                     "web1 web2 w1 w2",
		"web?":                   "web1 web2",
		"wor*":                   "w1 w2",
		"[dw]?":                  "w1 w2 db",
		"@all":                   "web1 web2 w1 w2 db",
		"@leader:f(1, 2)":        "w2",
		" @leader:f(1, 2) | w1 ": "w2 w1",
		"@host:b":                "web2 w2",
		"@host:b|db|@host:a":     "web2 w2 db web1 w1",
		"@host:c":                "error: no such node on host c",
		"@host:d":                "error: no such node: host d is unknown",
		"@host":                  "error: @host: which host? @host:a",
		"@host:":                 "error: @host: which host? @host:a",
		"n9":                     "error: no such node: n9",
		"x*":                     "error: no such node matches x*: there are web1, web2, w1, w2, db, web, worker",
		"[":                      `error: "[": syntax error in pattern`,
		"@leader":                "error: @leader: which expression returns the leader? @leader:MyApp.leader()",
		"@leader:":               "error: @leader: which expression returns the leader? @leader:MyApp.leader()",
		"@leader:g":              "error: another one: g",
		"@nobody":                "error: unknown target @nobody: there are @one, @minority, @majority, @all, @host:NAME and @leader:EXPR",
	} {
		c := &Chooser{Spec: spec, Leader: leader}
		nodes, err := c.Nodes(strings.Split(targets, "|")...)
		got := strings.Join(nodes, " ")
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", targets, got, want)
		}
	}
}

// A seed makes the same choices, and others have all nodes.
func TestNodesAtRandom(t *testing.T) {
	chosen := map[string]int{}
	for seed := range uint64(200) {
		c := &Chooser{Spec: spec, Seed: seed}
		var text string
		for _, tc := range []struct {
			target string
			count  int
		}{{"@one", 1}, {"@minority", 2}, {"@majority", 3}} {
			nodes, err := c.Nodes(tc.target)
			if err != nil || len(nodes) != tc.count {
				t.Fatalf("%s: %v, %v", tc.target, nodes, err)
			}
			for _, n := range nodes {
				chosen[tc.target+n]++
			}
			text += fmt.Sprint(nodes)
		}
		again := &Chooser{Spec: spec, Seed: seed}
		if _, err := again.Nodes("@one", "@minority", "@majority"); err != nil || fmt.Sprint(again.Choices()) != fmt.Sprint(c.Choices()) {
			t.Fatalf("seed %d: %v, then %v", seed, c.Choices(), again.Choices())
		}
	}
	if len(chosen) != 15 {
		t.Errorf("chosen: %v", chosen)
	}
	c := &Chooser{Spec: spec, Among: []string{"db"}, What: "running"}
	if nodes, err := c.Nodes("@one"); err != nil || nodes[0] != "db" || c.Choices()[0].String() != "@one is db" || !c.Choices()[0].Random {
		t.Errorf("%v, %v, %v", nodes, err, c.Choices())
	}
	_, err := c.Nodes("@majority")
	if err == nil || err.Error() != "@majority needs 3 of 5 nodes; running: db" {
		t.Errorf("%v", err)
	}
	c = &Chooser{Spec: orchestrator.Spec{Nodes: spec.Nodes[:2]}}
	if _, err := c.Nodes("@minority"); err == nil || err.Error() != "@minority: a cluster of 2 has no minority, which needs 3 nodes" {
		t.Errorf("%v", err)
	}
}

func TestLeader(t *testing.T) {
	st := orchestrator.Status{Nodes: []orchestrator.NodeStatus{
		{Name: "n1", Node: "app@n1.demo.test", Host: "n1.demo.test"}, {Name: "n2", Node: "app@n2.demo.test"}, {Name: "n3"},
	}}
	said := func(texts ...string) (answers []ask.Answer) {
		for i, text := range texts {
			a := ask.Answer{Node: fmt.Sprintf("n%d", i+1), Text: text}
			if rest, failed := strings.CutPrefix(text, "!"); failed {
				a.Err = &orchestrator.EvalError{Node: a.Node, Text: rest, Trace: "a trace"}
			}
			answers = append(answers, a)
		}
		return answers
	}
	for _, tc := range []struct {
		answers []ask.Answer
		want    string
	}{
		{said("app@n2.demo.test", "n2", "app@n2.demo.test"), "n2"},
		{said("n1.demo.test"), "n1"},
		{said("n1", "n2", "n1"), "error: @leader:f(): the nodes do not name one leader: n1 says n1; n2 says n2; n3 says n1"},
		{said("n1", "", "n1"), "error: @leader:f(): the nodes do not name one leader: n1 says n1; n2 says nil; n3 says n1"},
		{said("", ""), "error: @leader:f(): there is no leader: n1 says nil; n2 says nil"},
		{said("n1", "!** (ArgumentError)"), "error: @leader:f(): the nodes do not name one leader: n1 says n1; n2 says ** (ArgumentError)"},
		{said("\n{:ok, 1}"), "error: @leader:f(): the nodes do not name one leader: n1 says {:ok, 1}, which is not a node, a pid or {name, node}"},
		{said("\n%{key: \"s3cret\"}", "!s3cret", "s3cret"), "error: @leader:f(): the nodes do not name one leader: n1 says %{key: \"[secret]\"}, which is not a node, a pid or {name, node}; n2 says [secret]; n3 says [secret], which is not a node of the cluster"},
		{said("app@n9.demo.test"), "error: @leader:f(): the nodes do not name one leader: n1 says app@n9.demo.test, which is not a node of the cluster"},
		{nil, "error: @leader:f(): no node that could answer is running"},
	} {
		got, err := Leader(st, "f()", tc.answers, strings.NewReplacer("s3cret", "[secret]").Replace)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != tc.want {
			t.Errorf("%v: %s, want %s", tc.answers, got, tc.want)
		}
	}
	if leaders, failed := Leaders(st, said("n2", "", "!x", "n1", "n1")); !failed || fmt.Sprint(leaders) != "[ n1 n2]" {
		t.Errorf("%q, %v", leaders, failed)
	}
}

// Whatever is written, nothing of it is lost.
func FuzzSplit(f *testing.F) {
	for _, text := range []string{"n1,n2", "@leader:(f(1, 2)),n1", `@leader:("\`, "@leader:(?", "demo/@leader:f,g:h", "@host:a:n1,@host:"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, separator := range []byte{',', ':'} {
			if got := strings.Join(Split(text, separator), string(separator)); got != text {
				t.Errorf("%q is %q again", text, got)
			}
		}
	})
}
