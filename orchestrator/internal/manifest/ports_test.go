package manifest

import (
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

// Before a node is examined, it has a URL if it declares an HTTP port, with the host port
// of that port.
func TestAURLIsOfTheNodesOwnPort(t *testing.T) {
	s := roles().Defaulted()
	ports := []orchestrator.PortBinding{{Container: 4000, HostIP: "127.0.0.1", Host: 4200}, {Container: 4001, HostIP: "127.0.0.1", Host: 4201}}
	for node, want := range map[string]string{"web": "http://127.0.0.1:4201", "worker1": "", "worker2": "http://127.0.0.1:4200"} {
		st := orchestrator.NodeStatus{Name: node}
		SetPorts(&st, s, ports, "")
		if st.URL != want {
			t.Errorf("%s: %q, want %q", node, st.URL, want)
		}
	}
}
