package supervisor

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
)

// A status shows the spec and the placement of now, although it is not made anew each time.
func TestAStatusFollowsTheSpecAndThePlacement(t *testing.T) {
	s := newScript(t, 1, nil)
	type shown struct {
		IP, On, Image string
		Port          int
	}
	expect := func(when string, want shown) {
		t.Helper()
		nodes, _ := s.sup.Snapshot(s.now)
		n := nodes[0]
		if diff := cmp.Diff(want, shown{n.IP.String(), n.On, n.Image, n.HTTPPort}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	at := func(ip string, port uint16) orchestrator.Placement {
		return orchestrator.Placement{IP: netip.MustParseAddr(ip), Ports: []orchestrator.PortBinding{{Container: orchestrator.DefaultHTTPPort, HostIP: "127.0.0.1", Host: port}}}
	}
	expect("before its launch", shown{IP: "invalid IP"})
	s.send(Launched{RunID: s.report("n1"), ID: "id-n1", At: at("10.0.0.2", 4200)})
	expect("launched", shown{IP: "10.0.0.2", Port: 4200})
	next := s.sup.spec
	next.Nodes = []orchestrator.NodeSpec{next.Nodes[0]}
	next.Nodes[0].Image = "y"
	s.send(Command{Kind: CmdReplace, Nodes: []string{"n1"}, Spec: &next})
	expect("replaced", shown{IP: "10.0.0.2", Port: 4200, Image: "y"})
	s.sup.takeOver(s.sup.byName["n1"], Moved{RunID: s.report("n1"), To: "b", At: at("10.0.0.9", 4300)})
	expect("moved", shown{IP: "10.0.0.9", On: "b", Port: 4300, Image: "y"})
}

// A sweep asks every node. It is requested where it can show something: not before a node has
// connected to its peers, and not for a proof of a node that all others see.
func TestSweepsThatShowNothingNewAreLeftOut(t *testing.T) {
	s := newScript(t, 2, nil)
	s.run("n1")
	s.run("n2")
	sweeps := func(m Message) (n int) {
		for _, a := range s.sup.Step(m, s.now) {
			if _, ok := a.(Sweep); ok {
				n++
			}
		}
		return n
	}
	mesh := func(n1, n2 []string) Message {
		return Mesh{map[string]Sight{"n1": {Inc: 1, Peers: n1}, "n2": {Inc: 1, Peers: n2}}}
	}
	n1, n2 := s.report("n1"), s.report("n2")
	for _, step := range []struct {
		what string
		msg  Message
		want int
	}{
		{"the first node lives, and has nobody to connect to", Live{n1}, 1},
		{"it sees nobody", mesh(nil, nil), 0},
		{"it is proven", Proven{n1}, 0},
		{"the second lives, and connects", Live{n2}, 0},
		{"it has connected", Connected{RunID: n2}, 1},
		{"it is proven before the answer", Proven{n2}, 0}, // one at a time
		{"the answer, which came before the connection", mesh(nil, nil), 1},
		{"both see each other", mesh([]string{"n2"}, []string{"n1"}), 0},
		{"a proof at rest", Proven{n2}, 0},
	} {
		if got := sweeps(step.msg); got != step.want {
			t.Errorf("%s: %d sweeps, want %d", step.what, got, step.want)
		}
	}
	if !s.sup.ready() {
		t.Error("not ready")
	}
}
