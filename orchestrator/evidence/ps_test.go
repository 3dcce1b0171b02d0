package evidence

import (
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

// The table of the nodes says which host each is on, if there are hosts.
func TestTheTableOfNodesHasTheirHosts(t *testing.T) {
	nodes := []orchestrator.NodeStatus{
		{Name: "n1", State: orchestrator.Ready, On: "a", Container: "beamyard-shop-n1"},
		{Name: "n2", State: orchestrator.Unreachable, On: "b", Container: "beamyard-shop-n2", Reason: "host b has not answered since noon"},
	}
	text := psText(orchestrator.Status{Supervised: true, Nodes: nodes})
	for _, want := range []string{"NODE  HOST  STATE", "n1    a     ready", "n2    b     unreachable", "n2: host b has not answered since noon"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	nodes[0].On, nodes[1].On = "", ""
	if text := psText(orchestrator.Status{Supervised: true, Nodes: nodes}); !strings.Contains(text, "NODE  STATE") || strings.Contains(text, "HOST") {
		t.Errorf("of one machine:\n%s", text)
	}
}
