package manifest

import (
	"slices"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestNodesKnowTheEnginesMachine(t *testing.T) {
	s := orchestrator.Spec{Name: "shop", Image: "x", Nodes: orchestrator.NodeNames(2), ExtraHosts: map[string]string{"db": "10.0.0.7"}}
	s.Nodes[1].ExtraHosts = map[string]string{"host.docker.internal": "10.0.0.1", "db": "10.0.0.8"}
	if got := hostsOf(s, 0); !slices.Equal(got, []string{"db:10.0.0.7", "host.docker.internal:host-gateway"}) {
		t.Errorf("n1: %v", got)
	}
	if got := hostsOf(s, 1); !slices.Equal(got, []string{"db:10.0.0.8", "host.docker.internal:10.0.0.1"}) {
		t.Errorf("n2: %v", got)
	}
}
