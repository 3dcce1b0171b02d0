package supervisor

import (
	"errors"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// cutting sends a request for n1 and peers.
func (s *script) cutting(w Waiter, apart bool, peers ...string) {
	loose := map[string]bool{}
	for _, m := range s.sup.nodes {
		loose[m.name] = true
	}
	s.send(Partition{Node: "n1", Peers: peers, Apart: apart, OverlapAllowed: loose, Waiter: w})
}

// told ends what a node is being told.
func (s *script) told(node string, cut, mend []string) {
	s.send(BlockedSet{s.report(node), cut, mend, nil})
}

func (s *script) sees(all map[string][]string) {
	sees := map[string]Sight{}
	for n, peers := range all {
		sees[n] = Sight{Inc: s.report(n).Inc, Peers: peers}
	}
	for s.sup.sweep.running = true; s.sup.sweep.running; { // also what was asked meanwhile
		s.send(Mesh{sees})
	}
}

func TestAPairIsCutAndMeetsAgain(t *testing.T) {
	s := up(t, 3, nil)
	s.cutting(1, true, "n2")
	s.expect("fault n1 disconnected from n2", "half n1: cut [n2] mend []", "half n2: cut [n1] mend []",
		"n1 degraded: disconnected from n2 on purpose", "n2 degraded: disconnected from n1 on purpose")
	s.told("n1", []string{"n2"}, nil)
	s.expect() // n2 has not its half
	s.told("n2", []string{"n1"}, nil)
	s.expect("reply 1: <nil>")
	s.sees(map[string][]string{"n1": {"n3"}, "n2": {"n3"}, "n3": {"n1", "n2"}})
	s.after(time.Minute)
	s.expect() // nobody connects them, nobody asks why
	s.state("n3", orchestrator.Ready)
	if nodes, ready := s.sup.Snapshot(s.now); ready || len(nodes[0].Cut) != 1 || len(nodes[2].Cut) != 0 {
		t.Errorf("ready %t, %+v", ready, nodes)
	}

	s.cutting(2, false, "n2")
	s.expect("fault n1 reconnected to n2", "half n1: cut [] mend [n2]", "half n2: cut [] mend [n1]")
	s.told("n1", nil, []string{"n2"})
	s.sees(map[string][]string{"n1": {"n3"}, "n2": {"n3"}, "n3": {"n1", "n2"}})
	s.expect() // n2 refuses n1 still
	s.told("n2", nil, []string{"n1"})
	s.expect("reply 2: <nil>")
	s.sees(map[string][]string{"n1": {"n3"}, "n2": {"n3"}, "n3": {"n1", "n2"}})
	s.expect("connect n1: n2", "connect n2: n1")
	s.sees(map[string][]string{"n1": {"n2", "n3"}, "n2": {"n1", "n3"}, "n3": {"n1", "n2"}})
	s.expect("n1 ready", "n2 ready")
	if !s.sup.ready() {
		t.Error("not ready")
	}
}

// The node that loses all is told first: its global is held while they go.
func TestANodeThatIsIsolatedIsToldBeforeItsPeers(t *testing.T) {
	s := up(t, 3, nil)
	s.cutting(1, true, "n2", "n3")
	s.expect("fault n1 disconnected from n2, n3", "half n1: cut [n2 n3] mend []",
		"n1 degraded: disconnected from n2, n3 on purpose", "n2 degraded: disconnected from n1 on purpose", "n3 degraded: disconnected from n1 on purpose")
	s.told("n1", []string{"n2", "n3"}, nil)
	s.expect("half n2: cut [n1] mend []", "half n3: cut [n1] mend []")
}

// Nodes that meet one after another would be taken off each other by global: nobody
// is connected before all take each other again.
func TestANodeMeetsAllOfItsPeersAtOnce(t *testing.T) {
	s := up(t, 3, nil)
	s.cutting(1, true, "n2", "n3")
	s.told("n1", []string{"n2", "n3"}, nil)
	s.told("n2", []string{"n1"}, nil)
	s.told("n3", []string{"n1"}, nil)
	s.cutting(2, false, "n2", "n3")
	s.told("n1", nil, []string{"n2", "n3"})
	s.told("n2", nil, []string{"n1"})
	s.skip()
	apart := map[string][]string{"n1": {}, "n2": {"n3"}, "n3": {"n2"}}
	s.sees(apart)
	s.expect() // n3 refuses n1 still
	s.told("n3", nil, []string{"n1"})
	s.sees(apart)
	s.expect("reply 2: <nil>", "connect n1: n2 n3", "connect n2: n1", "connect n3: n1")
}

// A new VM knows of no cut. Its peer refuses it, and it is told before it is
// connected to anybody.
func TestACutOutlivesARestart(t *testing.T) {
	s := up(t, 3, nil)
	s.cutting(1, true, "n2")
	s.told("n1", []string{"n2"}, nil)
	s.told("n2", []string{"n1"}, nil)
	s.die("n1", 1)
	s.autopsy("n1", "")
	s.after(time.Second)
	s.run("n1")
	s.skip()
	s.send(Live{s.report("n1")}, Proven{s.report("n1")})
	s.expect("half n1: cut [n2] mend []")
	s.state("n2", orchestrator.Degraded)
	s.told("n1", []string{"n2"}, nil)
	s.sees(map[string][]string{"n1": {}, "n2": {"n3"}, "n3": {"n2"}})
	s.expect("connect n1: n3")
	s.sees(map[string][]string{"n1": {"n3"}, "n2": {"n3"}, "n3": {"n1", "n2"}})
	s.expect("n1 degraded: disconnected from n2 on purpose")
}

func TestACutDoesNotFailAClusterThatForms(t *testing.T) {
	s := newScript(t, 2, nil)
	s.run("n1")
	s.run("n2")
	s.send(Live{s.report("n1")}, Live{s.report("n2")})
	s.cutting(1, true, "n2")
	s.told("n1", []string{"n2"}, nil)
	s.told("n2", []string{"n1"}, nil)
	s.send(Proven{s.report("n1")}, Proven{s.report("n2")})
	s.sees(map[string][]string{"n1": {}, "n2": {}})
	s.after(time.Hour)
	s.state("n1", orchestrator.Degraded)
	if s.sup.cause != nil || !s.sup.formed {
		t.Errorf("cause %v", s.sup.cause)
	}
}

// Another supervisor told the nodes, so this one does not know: who names the peers
// ends it all the same.
func TestACutThatNobodyKnowsOfIsEnded(t *testing.T) {
	s := up(t, 2, nil)
	s.cutting(1, false, "n2")
	s.expect("fault n1 reconnected to n2", "half n1: cut [] mend [n2]", "half n2: cut [] mend [n1]",
		"n1 degraded: disconnected from n2 on purpose", "n2 degraded: disconnected from n1 on purpose")
}

// What a node was told before is no answer to who asks for the contrary meanwhile.
func TestACutIsNotAnsweredWhileItsNodesAreTold(t *testing.T) {
	s := up(t, 2, nil)
	s.cutting(1, false, "n2")
	s.skip()
	s.cutting(2, true, "n2")
	s.expect("fault n1 disconnected from n2", "reply 1: n1 and n2: conflict: another request asked for the opposite")
}

// A node that could not be told is told again soon.
func TestANodeThatCouldNotBeToldIsToldAgain(t *testing.T) {
	s := up(t, 2, nil)
	s.cutting(1, true, "n2")
	s.told("n2", []string{"n1"}, nil)
	s.skip()
	s.send(BlockedSet{s.report("n1"), []string{"n2"}, nil, errors.New("boom")})
	s.expect("reply 1: n1: boom")
	if at := s.sup.Wake(); at.After(s.now.Add(connectLate)) {
		t.Errorf("it is told again %s later", at.Sub(s.now))
	}
	s.after(connectLate)
	s.expect("half n1: cut [n2] mend []")
}

func TestOverlappingPartitions(t *testing.T) {
	p := func(a, b string) pair { return pair{a, b} }
	for name, c := range map[string]struct {
		nodes int
		cuts  []pair
		loose string // who lets partitions overlap
		down  string
		want  string // who would be apart, the third, who prevents it
	}{
		"two nodes":                 {nodes: 2, cuts: []pair{p("n1", "n2")}},
		"one pair of three":         {nodes: 3, cuts: []pair{p("n1", "n2")}, want: "n1 n2 n3 n1"},
		"a third that is strict":    {nodes: 3, cuts: []pair{p("n1", "n2")}, loose: "n1n2", want: "n1 n2 n3 n3"},
		"all let it":                {nodes: 3, cuts: []pair{p("n1", "n2")}, loose: "n1n2n3"},
		"the third is down":         {nodes: 3, cuts: []pair{p("n1", "n2")}, down: "n3"},
		"one from all":              {nodes: 3, cuts: []pair{p("n1", "n2"), p("n1", "n3")}},
		"two groups":                {nodes: 4, cuts: []pair{p("n1", "n3"), p("n1", "n4"), p("n2", "n3"), p("n2", "n4")}},
		"a group that is not whole": {nodes: 4, cuts: []pair{p("n1", "n3"), p("n1", "n4"), p("n2", "n3")}, want: "n1 n4 n2 n1"},
	} {
		s := up(t, c.nodes, nil)
		cuts, loose := map[pair]bool{}, map[string]bool{}
		for _, key := range c.cuts {
			cuts[key] = true
		}
		for i := 0; i+2 <= len(c.loose); i += 2 {
			loose[c.loose[i:i+2]] = true
		}
		if c.down != "" {
			s.sup.byName[c.down].live = false
		}
		got := ""
		if e := s.sup.overlap(cuts, loose); e != nil {
			got = e.A + " " + e.B + " " + e.Third + " " + e.Strict
			if !errors.Is(e, orchestrator.ErrOverlapping) || e.Hint() == "" {
				t.Errorf("%s: %v has no hint", name, e)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
