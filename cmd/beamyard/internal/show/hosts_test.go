package show

import (
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestHosts(t *testing.T) {
	nodes := []orchestrator.NodeStatus{{Name: "n1", On: "a"}, {Name: "n2", On: "b"}, {Name: "n3", On: "a"}}
	if got, want := Hosts(nodes), "hosts: a (n1, n3), b (n2)\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Hosts(nodes[:1]) + Hosts([]orchestrator.NodeStatus{{Name: "n1"}, {Name: "n2"}}); got != "" {
		t.Errorf("of one machine: %q", got)
	}
	if got := Place(nodes[1]) + ", " + Place(orchestrator.NodeStatus{Name: "n1"}); got != "n2 on b, n1" {
		t.Error(got)
	}
}
