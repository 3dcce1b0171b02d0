package supervisor

import (
	"errors"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/redial"
)

// partition requests to disconnect n1 from peers, or to reconnect them.
func (s *script) partition(w Waiter, apart bool, peers ...string) {
	loose := map[string]bool{}
	for _, m := range s.sup.nodes {
		loose[m.name] = true
	}
	s.send(Partition{Node: "n1", Peers: peers, Apart: apart, OverlapAllowed: loose, Waiter: w})
}

// blocked reports that a node has blocked and unblocked peers as requested.
func (s *script) blocked(node string, cut, mend []string) {
	s.send(BlockedSet{s.report(node), cut, mend, nil})
}

func (s *script) sees(all map[string][]string) {
	sees := map[string]Sight{}
	for n, peers := range all {
		sees[n] = Sight{Inc: s.report(n).Inc, Peers: peers}
	}
	for s.sup.sweep.running = true; s.sup.sweep.running; { // including what was requested meanwhile
		s.send(Mesh{sees})
	}
}

func TestAPairIsDisconnectedAndReconnected(t *testing.T) {
	s := up(t, 3, nil)
	s.partition(1, true, "n2")
	s.expect("fault n1 disconnected from n2", "peers of n1: block [n2] unblock []", "peers of n2: block [n1] unblock []",
		"n1 degraded: disconnected from n2 on purpose", "n2 degraded: disconnected from n1 on purpose")
	s.blocked("n1", []string{"n2"}, nil)
	s.expect() // n2 has not blocked n1 yet
	s.blocked("n2", []string{"n1"}, nil)
	s.expect("reply 1: <nil>")
	s.sees(map[string][]string{"n1": {"n3"}, "n2": {"n3"}, "n3": {"n1", "n2"}})
	s.after(time.Minute)
	s.expect() // they are neither connected nor diagnosed
	s.state("n3", orchestrator.Ready)
	if nodes, ready := s.sup.Snapshot(s.now); ready || len(nodes[0].Cut) != 1 || len(nodes[2].Cut) != 0 {
		t.Errorf("ready %t, %+v", ready, nodes)
	}

	s.partition(2, false, "n2")
	s.expect("fault n1 reconnected to n2", "peers of n1: block [] unblock [n2]", "peers of n2: block [] unblock [n1]")
	s.blocked("n1", nil, []string{"n2"})
	s.sees(map[string][]string{"n1": {"n3"}, "n2": {"n3"}, "n3": {"n1", "n2"}})
	s.expect() // n2 still blocks n1
	s.blocked("n2", nil, []string{"n1"})
	s.expect("reply 2: <nil>")
	s.sees(map[string][]string{"n1": {"n3"}, "n2": {"n3"}, "n3": {"n1", "n2"}})
	s.expect("connect n1: n2", "connect n2: n1")
	s.sees(map[string][]string{"n1": {"n2", "n3"}, "n2": {"n1", "n3"}, "n3": {"n1", "n2"}})
	s.expect("n1 ready", "n2 ready")
	if !s.sup.ready() {
		t.Error("not ready")
	}
}

// A node that loses all peers blocks them before they block it: its global is paused
// while they leave.
func TestAnIsolatedNodeBlocksBeforeItsPeers(t *testing.T) {
	s := up(t, 3, nil)
	s.partition(1, true, "n2", "n3")
	s.expect("fault n1 disconnected from n2, n3", "peers of n1: block [n2 n3] unblock []",
		"n1 degraded: disconnected from n2, n3 on purpose", "n2 degraded: disconnected from n1 on purpose", "n3 degraded: disconnected from n1 on purpose")
	s.blocked("n1", []string{"n2", "n3"}, nil)
	s.expect("peers of n2: block [n1] unblock []", "peers of n3: block [n1] unblock []")
}

// If nodes reconnected one after another, global would disconnect them from each other
// again: they are connected once all of them accept each other.
func TestANodeReconnectsToAllOfItsPeersAtOnce(t *testing.T) {
	s := up(t, 3, nil)
	s.partition(1, true, "n2", "n3")
	s.blocked("n1", []string{"n2", "n3"}, nil)
	s.blocked("n2", []string{"n1"}, nil)
	s.blocked("n3", []string{"n1"}, nil)
	s.partition(2, false, "n2", "n3")
	s.blocked("n1", nil, []string{"n2", "n3"})
	s.blocked("n2", nil, []string{"n1"})
	s.skip()
	apart := map[string][]string{"n1": {}, "n2": {"n3"}, "n3": {"n2"}}
	s.sees(apart)
	s.expect() // n3 still blocks n1
	s.blocked("n3", nil, []string{"n1"})
	s.sees(apart)
	s.expect("reply 2: <nil>", "connect n1: n2 n3", "connect n2: n1", "connect n3: n1")
}

// A new VM has no list of blocked peers. Its peer still blocks it, and it gets its list
// before it is connected to any node.
func TestAPartitionOutlivesARestart(t *testing.T) {
	s := up(t, 3, nil)
	s.partition(1, true, "n2")
	s.blocked("n1", []string{"n2"}, nil)
	s.blocked("n2", []string{"n1"}, nil)
	s.die("n1", 1)
	s.postmortem("n1", "")
	s.after(time.Second)
	s.run("n1")
	s.skip()
	s.send(Live{s.report("n1")}, Proven{s.report("n1")})
	s.expect("peers of n1: block [n2] unblock []")
	s.state("n2", orchestrator.Degraded)
	s.blocked("n1", []string{"n2"}, nil)
	s.sees(map[string][]string{"n1": {}, "n2": {"n3"}, "n3": {"n2"}})
	s.expect("connect n1: n3")
	s.sees(map[string][]string{"n1": {"n3"}, "n2": {"n3"}, "n3": {"n1", "n2"}})
	s.expect("n1 degraded: disconnected from n2 on purpose")
}

func TestAPartitionDoesNotFailAFormingCluster(t *testing.T) {
	s := newScript(t, 2, nil)
	s.run("n1")
	s.run("n2")
	s.send(Live{s.report("n1")}, Live{s.report("n2")})
	s.partition(1, true, "n2")
	s.blocked("n1", []string{"n2"}, nil)
	s.blocked("n2", []string{"n1"}, nil)
	s.send(Proven{s.report("n1")}, Proven{s.report("n2")})
	s.sees(map[string][]string{"n1": {}, "n2": {}})
	s.after(time.Hour)
	s.state("n1", orchestrator.Degraded)
	if s.sup.cause != nil || !s.sup.formed {
		t.Errorf("cause %v", s.sup.cause)
	}
}

// The partition was requested from another supervisor, so this one does not know it. A
// request that names the peers still ends it.
func TestAPartitionOfAnotherSupervisorIsEnded(t *testing.T) {
	s := up(t, 2, nil)
	s.partition(1, false, "n2")
	s.expect("fault n1 reconnected to n2", "peers of n1: block [] unblock [n2]", "peers of n2: block [] unblock [n1]",
		"n1 degraded: disconnected from n2 on purpose", "n2 degraded: disconnected from n1 on purpose")
}

// A request is not answered with what its nodes did for an earlier one if another request
// asks for the opposite meanwhile.
func TestARequestForTheOppositeIsAConflict(t *testing.T) {
	s := up(t, 2, nil)
	s.partition(1, false, "n2")
	s.skip()
	s.partition(2, true, "n2")
	s.expect("fault n1 disconnected from n2", "reply 1: n1 and n2: conflict: another request asked for the opposite")
}

// If a node could not block a peer, it is asked again soon.
func TestAFailedBlockIsRetried(t *testing.T) {
	s := up(t, 2, nil)
	s.partition(1, true, "n2")
	s.blocked("n2", []string{"n1"}, nil)
	s.skip()
	s.send(BlockedSet{s.report("n1"), []string{"n2"}, nil, errors.New("boom")})
	s.expect("reply 1: n1: boom")
	if at := s.sup.Wake(); at.After(s.now.Add(redial.Late)) {
		t.Errorf("it is retried %s later", at.Sub(s.now))
	}
	s.after(redial.Late)
	s.expect("peers of n1: block [n2] unblock []")
}

func TestOverlappingPartitions(t *testing.T) {
	p := func(a, b string) pair { return pair{a, b} }
	for name, c := range map[string]struct {
		nodes int
		cuts  []pair
		loose string // the nodes that allow overlapping partitions
		down  string
		want  string // the two that would be disconnected, the third node, and the node that prevents it
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
			if !errors.Is(e, orchestrator.ErrOverlapping) || len(e.Hint()) == 0 {
				t.Errorf("%s: %v has no hint", name, e)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
