package probe

import (
	"fmt"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/validation"
)

// validSpec returns a minimal valid spec.
func validSpec() orchestrator.Spec {
	return orchestrator.Spec{Name: "shop", Image: "shop:1", Nodes: orchestrator.NodeNames(3)}
}

// roles returns a spec of a web node and two workers.
func roles() orchestrator.Spec {
	return orchestrator.Spec{
		Name: "mill", Image: "mill:1", App: "mill", HTTPCheck: "/health", Cookie: "crumb",
		Checks: []orchestrator.Check{{Name: "db", RPC: "1"}, {HTTP: "/live"}, {Name: "queue", RPC: "2", Nodes: []string{"worker"}}},
		Nodes: []orchestrator.NodeSpec{
			{Name: "web", HTTPPort: 4001, HTTPCheck: "/up", Checks: []orchestrator.Check{{Name: "db", RPC: "3"}}},
			{Name: "worker1", Role: "worker", App: "mill_worker", HTTPPort: -1},
			{Name: "worker2", Role: "worker", HTTPCheck: "-"},
		},
	}
}

func TestANodesChecksOverrideTheClusters(t *testing.T) {
	s := roles()
	if err := validation.Check(s); err != nil {
		t.Fatal(err)
	}
	s = s.Defaulted()
	o := Checks{Spec: s}
	for node, want := range map[string]string{
		"web":     "[HTTP check /up http /live rpc 3]",
		"worker1": "[rpc 1 rpc 2]",
		"worker2": "[rpc 1 http /live rpc 2]",
	} {
		var checks []string
		for _, k := range o.of(node) {
			if k.RPC != "" {
				k.Name = ""
			}
			checks = append(checks, k.String())
		}
		if got := fmt.Sprint(checks); got != want {
			t.Errorf("%s: %s, want %s", node, got, want)
		}
	}
}
