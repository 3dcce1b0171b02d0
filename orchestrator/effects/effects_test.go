package effects_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/effects"
	"github.com/beamyard/beamyard/orchestrator/health"
)

func spec(n int) orchestrator.Spec {
	s := orchestrator.Spec{Name: "shop", Mesh: orchestrator.MeshBeamyard}
	for i := range n {
		s.Nodes = append(s.Nodes, orchestrator.NodeSpec{Name: fmt.Sprintf("n%d", i+1)})
	}
	return s
}

func names(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("n%d", i+1))
	}
	return all
}

func TestInnocent(t *testing.T) {
	for name, tt := range map[string]struct {
		nodes  int
		fault  fault.Fault
		allows string // a node that does not prevent overlapping partitions
		want   string
	}{
		"two sides do not overlap":   {5, fault.Partition([]string{"n1", "n2"}), "", ""},
		"each alone":                 {3, fault.Isolate("n1", "n2", "n3"), "", ""},
		"a node between two":         {3, fault.Bridge(names(3), "n2"), "", "n1-n2 n2-n3"},
		"one direction is a pair":    {3, fault.OneWay(fault.Pair{From: "n1", To: "n3"}), "", "n1-n2 n2-n3"},
		"it allows overlap":          {3, fault.Bridge(names(3), "n2"), "n2", ""},
		"one end reports":            {3, fault.Bridge(names(3), "n2"), "n1", "n1-n2"},
		"a link is slow":             {3, fault.Link(fault.Quality{Loss: 5}, fault.Pair{From: "n1", To: "n2"}), "", ""},
		"it is passed on by the one": {4, fault.Bridge(names(4), "n2"), "", "n1-n2 n1-n3 n2-n3 n2-n4"}, // as measured, see TestFaults
	} {
		got := effects.Innocent(names(tt.nodes), func(n string) bool { return n != tt.allows }, tt.fault)
		var pairs []string
		for p := range got {
			pairs = append(pairs, p.String())
		}
		slices.Sort(pairs)
		if text := strings.Join(pairs, " "); text != tt.want {
			t.Errorf("%s: %s, want %s", name, text, tt.want)
		}
	}
}

// With several faults, each pair has the one that cuts it, and each innocent pair one of those
// because of which it goes.
func TestFaultsTogether(t *testing.T) {
	first, second := fault.OneWay(fault.Pair{From: "n1", To: "n2"}), fault.Isolate("n3")
	first.ID, second.ID = "f1", "f2"
	cut := effects.Cut(names(3), first, second)
	if got := cut[effects.PairOf("n2", "n1")].ID + cut[effects.PairOf("n3", "n1")].ID; got != "f1f2" || len(cut) != 3 {
		t.Errorf("%s: %v", got, cut)
	}
	if innocent := effects.Innocent(names(3), func(string) bool { return true }, first, second); len(innocent) > 0 {
		t.Errorf("all are cut, and yet %v", innocent)
	}
	if f := effects.Innocent(names(4), func(string) bool { return true }, first, second)[effects.PairOf("n1", "n4")]; f.ID != "f1" {
		t.Errorf("n1-n4 because of %q", f.ID)
	}
}

func sample(tick, intensity int64, auto string, mnesia bool) *health.Sample {
	s := &health.Sample{NetTick: tick, TickIntensity: intensity, AutoConnect: auto, PreventOverlapping: true}
	if mnesia {
		s.Mnesia = mnesiaOf("n1", "n2")
	}
	return s
}

// mnesiaOf is Mnesia that works together on these nodes.
func mnesiaOf(nodes ...string) *health.Mnesia {
	var m health.Mnesia
	for _, n := range nodes {
		m.Running = append(m.Running, spec(3).Names().Node(n))
	}
	return &m
}

func TestExpect(t *testing.T) {
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	lasting := func(f fault.Fault, d time.Duration) fault.Fault {
		f.Begin, f.End = begin, begin.Add(d)
		return f
	}
	reset := func(f fault.Fault) fault.Fault {
		f.How = fault.Reset
		return f
	}
	eight := func() *health.Sample { return sample(8, 4, "", false) }
	for name, tt := range map[string]struct {
		fault   fault.Fault
		samples []*health.Sample
		mesh    orchestrator.MeshMode
		want    string
	}{
		"silence, as the nodes are set": {fault.Isolate("n1"), []*health.Sample{eight(), eight(), sample(60, 10, "", false)}, "",
			"n1, n2: nodedown after 6s to 10s of silence (net_ticktime 8s, net_tickintensity 4)\nn3: nodedown after 54s to 1m6s of silence (net_ticktime 1m, net_tickintensity 10)"},
		"silence, as declared": {fault.Isolate("n1"), nil, "", "n1, n2, n3: nodedown after 45s to 1m15s of silence (net_ticktime 1m, as declared)"},
		"silence that ends too early": {lasting(fault.Bridge(names(3), "n2"), 3*time.Second), []*health.Sample{sample(8, 4, "once", true), eight(), sample(8, 4, "", true)}, "",
			"n1, n3: no nodedown, because the silence ends before 6s (net_ticktime 8s, net_tickintensity 4)"},
		"reset": {reset(fault.Isolate("n1")), []*health.Sample{eight(), eight(), eight()}, "", "n1, n2, n3: nodedown at once, because connections are closed\nn2-n3: the fault does not cut them, but global can disconnect them for a moment, because connections are closed one after the other"},
		"a node between two": {reset(fault.Bridge(names(3), "n2")), []*health.Sample{eight(), eight(), eight()}, "",
			"n1, n3: nodedown at once, because connections are closed\nn1-n2, n2-n3: the fault does not cut them, but global disconnects some of them, or all, so that partitions do not overlap"},
		"dist_auto_connect, and the application connects": {reset(fault.Isolate("n1")), []*health.Sample{sample(8, 4, "once", false), sample(8, 4, "never", false), eight()}, orchestrator.MeshApp,
			"n1, n2, n3: nodedown at once, because connections are closed\nn2-n3: the fault does not cut them, but global can disconnect them for a moment, because connections are closed one after the other\n" +
				"n2: no connection is made again by itself, because dist_auto_connect is never; they stay apart until something calls net_kernel:connect_node/1\n" +
				"n1: no connection is made again by itself, because dist_auto_connect is once; they stay apart until something calls net_kernel:connect_node/1"},
		"dist_auto_connect, and Beamyard connects": {reset(fault.Isolate("n1")), []*health.Sample{sample(8, 4, "once", false), eight(), eight()}, "",
			"n1, n2, n3: nodedown at once, because connections are closed\nn2-n3: the fault does not cut them, but global can disconnect them for a moment, because connections are closed one after the other\nn1: no connection is made again by itself, because dist_auto_connect is once; Beamyard connects them explicitly after the heal"},
		"Mnesia": {reset(fault.Isolate("n1")), []*health.Sample{sample(8, 4, "", true), sample(8, 4, "", true), eight()}, "",
			"n1, n2, n3: nodedown at once, because connections are closed\nn2-n3: the fault does not cut them, but global can disconnect them for a moment, because connections are closed one after the other\nn1, n2: their Mnesia does not work together from nodedown on, also after the heal: it does not merge by itself"},
		"Mnesia of the other side": {reset(fault.Isolate("n3")), []*health.Sample{sample(8, 4, "", true), sample(8, 4, "", true), {NetTick: 8, TickIntensity: 4, PreventOverlapping: true, Mnesia: mnesiaOf("n3")}}, "",
			"n1, n2, n3: nodedown at once, because connections are closed\nn1-n2: the fault does not cut them, but global can disconnect them for a moment, because connections are closed one after the other"},
		"a slow link": {fault.Link(fault.Quality{Loss: 5}, fault.Pair{From: "n1", To: "n2"}), []*health.Sample{eight(), eight(), eight()}, "", ""},
	} {
		s := spec(3)
		if tt.mesh != "" {
			s.Mesh = tt.mesh
		}
		var report health.Report
		for i, sample := range tt.samples {
			report.Nodes = append(report.Nodes, health.NodeReport{Name: fmt.Sprintf("n%d", i+1), Sample: sample})
		}
		if got := strings.Join(effects.Expect(tt.fault, s, effects.Kernels(s, report)).Lines(), "\n"); got != tt.want {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

func TestObserve(t *testing.T) {
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	f := fault.Bridge(names(4), "n2")
	f.ID, f.Begin = "f1a2", begin
	saw := func(ms int, node, text, peer string) orchestrator.JournalEntry {
		return orchestrator.JournalEntry{Time: begin.Add(time.Duration(ms) * time.Millisecond), Source: orchestrator.FromNode, Node: node, Peer: peer, Text: fmt.Sprintf(text, peer)}
	}
	apart := orchestrator.Finding{Code: "mnesia-apart", Node: "n1"}
	o := effects.Observation{
		Spec: spec(4), Faults: []fault.Fault{f}, Healed: begin.Add(20 * time.Second),
		Journal: []orchestrator.JournalEntry{
			saw(-100, "n1", "nodedown %s (connection_closed)", "n4"), saw(-50, "n1", "nodeup %s", "n4"), // of an earlier fault
			{Time: begin, Source: orchestrator.FromFault, Text: "f1a2: cut"},
			saw(7430, "n4", "nodedown %s (net_tick_timeout)", "n1"), saw(7620, "n1", "nodedown %s (net_tick_timeout)", "n4"),
			saw(7440, "n2", "nodedown %s (disconnect)", "n4"), saw(7441, "n4", "nodedown %s (connection_closed)", "n2"),
			saw(9000, "n2", "nodeup %s", "n4"), saw(9000, "n4", "nodeup %s", "n2"),
			saw(9500, "n2", "nodedown %s (disconnect)", "n4"), saw(9501, "n4", "nodedown %s (connection_closed)", "n2"),
			saw(10_000, "n2", "nodeup %s", "n4"), saw(10_000, "n4", "nodeup %s", "n2"),
			saw(20_570, "n1", "nodeup %s", "n4"), saw(20_571, "n4", "nodeup %s", "n1"),
		},
		Health: &orchestrator.HealthReport{Findings: []orchestrator.Finding{{Code: "heart", Node: "n1"}, apart}},
	}
	r := effects.Observe(o)
	want := `n1-n4 lost after 7.43s and 7.62s, connected again 570ms after the heal
n2-n4 lost after 7.44s, and 1 more time, by global: the fault did not cut it, connected again before the heal
n3-n4 stayed connected`
	if got := strings.Join(r.Lines(), "\n"); got != want {
		t.Errorf("got:\n%s", got)
	}
	if diff := cmp.Diff([]orchestrator.Finding{apart}, r.Left); diff != "" || r.Nothing() {
		t.Error(diff)
	}
	if end := r.Lost[0].Ends[0]; end.Node != "n4" || end.Reason != "net_tick_timeout" {
		t.Errorf("%+v", end)
	}

	// Another fault is in force, and keeps a pair apart.
	other := o
	other.InForce = []fault.Fault{{ID: "f2", Kind: fault.KindCut, Pairs: []fault.Pair{{From: "n1", To: "n2"}}}}
	other.Health = &orchestrator.HealthReport{Report: health.Report{Matrix: health.Matrix{
		Nodes: []string{"n1", "n2", "n3"}, Rows: [][]health.Sight{{"", health.SeesNot, health.SeesVisible}, {health.SeesNot, "", health.SeesNot}, {health.SeesVisible, health.SeesVisible, ""}},
	}}}
	other.Journal = nil
	if got := strings.Join(effects.Observe(other).Lines(), "\n"); got != "n1-n4, n3-n4 stayed connected\nf2 is still in force: cut n1→n2, drop" {
		t.Errorf("with another fault:\n%s", got)
	}
	other.InForce = nil
	if got := strings.Join(effects.Observe(other).Lines(), "\n"); got != "n1-n4, n3-n4 stayed connected\nn1-n2, n2-n3 are not connected" {
		t.Errorf("not connected:\n%s", got)
	}

	// A pair that is still lost, and a node that was not asked.
	o.Journal, o.Health = o.Journal[:5], nil
	if got := strings.Join(effects.Observe(o).Lines(), "\n"); got != "n1-n4 lost after 7.43s and 7.62s, not connected again\nn3-n4 stayed connected" {
		t.Errorf("got:\n%s", got)
	}
}

// A blip has no heal: what counts is how long the pair was lost.
func TestObserveABlip(t *testing.T) {
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	f := fault.Fault{Kind: fault.KindCut, Pairs: []fault.Pair{{From: "n1", To: "n2"}}, Begin: begin}
	saw := func(ms int, node, kind, peer string) orchestrator.JournalEntry {
		return orchestrator.JournalEntry{Time: begin.Add(time.Duration(ms) * time.Millisecond), Source: orchestrator.FromNode, Node: node, Peer: peer, Text: kind + " " + peer}
	}
	// With a Mnesia of its own on each node, nothing works together.
	for mnesia, want := range map[*health.Mnesia]string{mnesiaOf("n1", "n2"): "; Mnesia works together on n1, n2", mnesiaOf("n1"): ""} {
		well := &health.Sample{Mnesia: mnesia}
		r := effects.Observe(effects.Observation{
			Spec: spec(2), Faults: []fault.Fault{f},
			Journal: []orchestrator.JournalEntry{saw(400, "n1", "nodedown", "n2"), saw(402, "n2", "nodedown", "n1"), saw(430, "n1", "nodeup", "n2"), saw(435, "n2", "nodeup", "n1")},
			Health:  &orchestrator.HealthReport{Report: health.Report{Nodes: []health.NodeReport{{Name: "n1", Sample: well}, {Name: "n2", Sample: well}}}},
		})
		if got := strings.Join(r.Lines(), "\n"); got != "n1-n2 lost for 40ms\nnothing is apart: every pair is connected"+want+"; global agrees on names" {
			t.Errorf("got:\n%s", got)
		}
	}
}

// Many pairs are summed up. If global still waits, the report says so.
func TestReportOfManyPairs(t *testing.T) {
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	f := fault.Halves(names(8))
	f.Begin = begin
	o := effects.Observation{Spec: spec(8), Faults: []fault.Fault{f}, Healed: begin.Add(time.Minute)}
	for i, p := range f.Cuts(names(8)) {
		o.Journal = append(o.Journal, orchestrator.JournalEntry{Time: begin.Add(time.Duration(i) * time.Second), Source: orchestrator.FromNode, Node: p.From, Peer: p.To, Text: "nodedown " + p.To})
	}
	waits := &health.Sample{Time: begin, Unsynced: map[string]time.Time{"app@n2": begin}, Syncs: true}
	o.Health = &orchestrator.HealthReport{Report: health.Report{Nodes: []health.NodeReport{{Name: "n1", Sample: waits}, {Name: "n2", Node: "app@n2", Sample: waits}}}}
	lines := effects.Observe(o).Lines()
	if len(lines) != 11 || lines[8] != "and 8 more pairs; the first was lost after 0s, the last after 15s" || lines[9] != "global of n1 has not agreed on names with n2 yet" {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
}

func TestWhole(t *testing.T) {
	status := func(edit func(*orchestrator.Status)) orchestrator.Status {
		st := orchestrator.Status{}
		for i := range 3 {
			n := orchestrator.NodeStatus{Name: names(3)[i], State: orchestrator.Degraded} // for another reason
			n.Peers = slices.Delete(names(3), i, i+1)
			st.Nodes = append(st.Nodes, n)
		}
		edit(&st)
		return st
	}
	f := fault.Isolate("n1")
	f.ID = "f1"
	other := fault.Link(fault.Quality{Loss: 1}, fault.Pair{From: "n1", To: "n2"})
	for name, tt := range map[string]struct {
		edit func(*orchestrator.Status)
		want bool
	}{
		"connected":                      {func(*orchestrator.Status) {}, true},
		"a pair is missing, as one sees": {func(st *orchestrator.Status) { st.Nodes[0].Peers = []string{"n2"} }, false},
		"the supervisor does not know":   {func(st *orchestrator.Status) { st.Faults = []fault.Fault{{ID: "healed"}} }, false},
		"another fault cuts, as all see": {func(st *orchestrator.Status) {
			st.Faults = []fault.Fault{f}
			st.Nodes[0].Peers = nil
			st.Nodes[1].Peers = []string{"n3"}
			st.Nodes[2].Peers = []string{"n2"}
		}, true},
		"another fault does not cut": {func(st *orchestrator.Status) { st.Faults, st.Nodes[0].Peers = []fault.Fault{other}, nil }, false},
		"a node is stopped": {func(st *orchestrator.Status) {
			st.Nodes[0].State = orchestrator.Stopped
			st.Nodes[0].Peers = nil
			st.Nodes[1].Peers = []string{"n3"}
			st.Nodes[2].Peers = []string{"n2"}
		}, true},
		"a pair is disconnected by users": {func(st *orchestrator.Status) {
			st.Nodes[0].Cut, st.Nodes[1].Cut = []string{"n2"}, []string{"n1"}
			st.Nodes[0].Peers = []string{"n3"}
		}, true},
	} {
		if got := effects.Whole(status(tt.edit), "healed"); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A pair that has not noticed a fault can still break within a tick.
func TestSettle(t *testing.T) {
	kernels := map[string]effects.Kernel{"n1": {Tick: 8 * time.Second, Intensity: 4}, "n2": {Tick: time.Minute, Intensity: 4}}
	for want, unnoticed := range map[time.Duration][]effects.Pair{
		time.Second: nil, 3 * time.Second: {{A: "n1", B: "n1"}}, 5 * time.Second: {{A: "n1", B: "n2"}},
	} {
		if got := effects.Settle(unnoticed, kernels); got != want {
			t.Errorf("%v: %s, want %s", unnoticed, got, want)
		}
	}
}
