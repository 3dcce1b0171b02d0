package supervisor

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

func TestOnlyAReachablePortHasAURL(t *testing.T) {
	want := map[orchestrator.Serving]bool{orchestrator.ServingUnknown: true, orchestrator.ServingOpen: true, orchestrator.ServingForwarded: true, orchestrator.ServingLoopback: false, orchestrator.ServingNothing: false}
	for is, url := range want {
		s := New(orchestrator.Spec{Name: "shop", Nodes: orchestrator.NodeNames(1)}.Defaulted(), func() float64 { return 0 })
		m := s.nodes[0]
		m.place(orchestrator.Placement{Ports: []orchestrator.PortBinding{{Container: 4000, HostIP: "127.0.0.1", Host: 4200}}})
		m.serving = is
		st := s.status(m, time.Unix(1e9, 0))
		if (st.URL != "") != url || st.Serving != is {
			t.Errorf("%q: URL %q, %q", is, st.URL, st.Serving)
		}
	}
}

// All nodes of a project listen on the same address, so one event is enough.
func TestLoopbackIsReportedOnce(t *testing.T) {
	s := New(orchestrator.Spec{Name: "shop", Nodes: orchestrator.NodeNames(2)}.Defaulted(), func() float64 { return 0 })
	news := []manifest.LoopbackNews{{At: netip.MustParseAddrPort("127.0.0.1:4000"), Forwarded: true}}
	var told []string
	for _, m := range s.nodes {
		for _, a := range s.Step(Serving{m.report(), orchestrator.ServingForwarded, news}, time.Unix(1e9, 0)) {
			if e, ok := a.(Emit); ok {
				told = append(told, e.Event.Text)
			}
		}
		if m.serving != orchestrator.ServingForwarded {
			t.Errorf("%s is %q", m.name, m.serving)
		}
	}
	want := []string{"n1 listens on 127.0.0.1:4000 only, inside its container: port 4000 is forwarded there (have it listen on 0.0.0.0 to do without)"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	s.Step(Serving{RunID{"n1", 7}, orchestrator.ServingNothing, nil}, time.Unix(1e9, 0))
	if s.byName["n1"].serving != orchestrator.ServingForwarded {
		t.Error("a report of another run was accepted")
	}
}
