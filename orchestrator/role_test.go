package orchestrator

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// roles returns a spec of a web node and two workers.
func roles() Spec {
	return Spec{
		Name: "mill", Image: "mill:1", App: "mill", HTTPCheck: "/health", Cookie: "crumb",
		Checks: []Check{{Name: "db", RPC: "1"}, {HTTP: "/live"}, {Name: "queue", RPC: "2", Nodes: []string{"worker"}}},
		Nodes: []NodeSpec{
			{Name: "web", HTTPPort: 4001, HTTPCheck: "/up", Checks: []Check{{Name: "db", RPC: "3"}}},
			{Name: "worker1", Role: "worker", App: "mill_worker", HTTPPort: -1},
			{Name: "worker2", Role: "worker", HTTPCheck: "-"},
		},
	}
}

// Nodes are named by their own names and by their roles'. A name that is neither, or a
// role where one node is wanted, is refused with what can be written.
func TestNamesOfNodesAndRoles(t *testing.T) {
	s := roles()
	s.Nodes = append(s.Nodes, NodeSpec{Name: "db1", Role: "db"})
	for names, want := range map[string]string{
		"":                "[]",
		"web":             "[web]",
		"worker":          "[worker1 worker2]",
		"db":              "[db1]",
		"worker2 worker":  "[worker2 worker1]",
		"web worker1 web": "[web worker1]",
	} {
		got, err := s.NodesOf(strings.Fields(names)...)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v, want %s", names, got, err, want)
		}
	}
	for name, want := range map[string]string{
		"wroker": "no such node: wroker; did you mean worker? cluster mill has web, worker1, worker2, db1; roles: worker, db",
		"wep":    "no such node: wep; did you mean web? cluster mill has web, worker1, worker2, db1; roles: worker, db",
		"x":      "no such node: x; cluster mill has web, worker1, worker2, db1; roles: worker, db",
		"":       "no such node: ; cluster mill has web, worker1, worker2, db1; roles: worker, db",
	} {
		_, err := s.NodesOf("web", name)
		if got := fmt.Sprint(err) + "; " + HintOf(err).String(); got != want || !errors.Is(err, ErrNoNode) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if err := s.NoNode("worker"); err.Error() != "no such node: worker is a role" || HintOf(err).String() != "name one of its nodes: worker1, worker2" {
		t.Errorf("%v: %s", err, HintOf(err))
	}
}
