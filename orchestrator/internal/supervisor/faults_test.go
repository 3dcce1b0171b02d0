package supervisor

import (
	"slices"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

func faultEvents(actions []Action) (texts []string) {
	for _, a := range actions {
		if e, ok := a.(Emit); ok && e.Event.Kind == orchestrator.EventFault {
			texts = append(texts, e.Event.Text)
		}
	}
	return texts
}

// A pair that a fault cuts is expected to be disconnected: it is not dialled, and its nodes are
// Degraded for this reason alone. Once it is healed, it is connected again.
func TestAPairThatAFaultCuts(t *testing.T) {
	s := up(t, 3, nil)
	f := fault.Isolate("n1")
	f.ID = "fabcd"
	if told := faultEvents(s.sup.Step(FaultsInForce{Faults: []fault.Fault{f}}, s.now)); len(told) != 1 || told[0] != "fabcd: partition n1 | the rest, drop" {
		t.Errorf("events %q", told)
	}
	for node, reason := range map[string]string{"n1": "cut off from n2, n3 by fabcd", "n2": "cut off from n1 by fabcd", "n3": "cut off from n1 by fabcd"} {
		s.state(node, orchestrator.Degraded)
		if got := s.sup.byName[node].reason; got != reason {
			t.Errorf("%s: %s", node, got)
		}
	}
	n1, n2 := s.sup.byName["n1"], s.sup.byName["n2"]
	if !s.sup.mustNotConnect(n1, n2) || len(s.sup.missing(n1)) > 0 || s.sup.ready() {
		t.Error("the pair is dialled, or missing, or the cluster is ready")
	}
	if told := faultEvents(s.sup.Step(FaultsInForce{Faults: []fault.Fault{f}}, s.now)); told != nil {
		t.Errorf("reported again: %q", told)
	}
	if told := faultEvents(s.sup.Step(FaultsInForce{}, s.now)); len(told) != 1 || told[0] != "fabcd is healed" {
		t.Errorf("events %q", told)
	}
	if s.sup.mustNotConnect(n1, n2) || s.sup.healing[s.sup.pairOf(n1, n2)].IsZero() {
		t.Error("the pair is not connected again")
	}
}

// The supervisor notes the end of a fault by itself: the kernel heals it without a word.
func TestAFaultEndsByItself(t *testing.T) {
	s := up(t, 2, nil)
	f := fault.Isolate("n1")
	f.ID, f.End = "fabcd", s.now.Add(time.Second)
	s.sup.Step(FaultsInForce{Faults: []fault.Fault{f}}, s.now)
	if wake := s.sup.Wake(); wake.After(f.End) {
		t.Errorf("wakes at %s, the fault ends at %s", wake, f.End)
	}
	s.now = f.End
	if told := faultEvents(s.sup.Step(Tick{}, s.now)); len(told) != 1 || len(s.sup.cut) > 0 {
		t.Errorf("events %q, cut %v", told, s.sup.cut)
	}
}

// A node that is cut off from the host is not diagnosed: nothing can be asked of it.
func TestANodeThatIsCutOffFromTheHost(t *testing.T) {
	s := up(t, 2, nil)
	f := fault.Isolate("n1")
	f.ID, f.Hard = "fabcd", true
	s.sup.Step(FaultsInForce{Faults: []fault.Fault{f}}, s.now)
	s.send(Lost{RunID: s.report("n1"), Reason: "the connection broke"})
	s.after(readyGrace)
	s.state("n1", orchestrator.Degraded)
	m := s.sup.byName["n1"]
	if m.reason != "cut off from the host by fabcd" || fault.CutFromHost(s.sup.faults, "n2") != "" {
		t.Errorf("n1: %s", m.reason)
	}
	if n := reported(s.sup.Step(s.answer(finding("n1", "distribution-port", "x")), s.now)); n != 0 || m.found != nil {
		t.Errorf("%d findings reported, of n1: %v", n, m.found)
	}
}

// A lossy link cuts nothing.
func TestALossyLinkCutsNothing(t *testing.T) {
	s := up(t, 2, nil)
	f := fault.Link(fault.Quality{Loss: 5}, fault.Pair{From: "n1", To: "n2"})
	f.ID = "fabcd"
	told := faultEvents(s.sup.Step(FaultsInForce{Faults: []fault.Fault{f}}, s.now))
	if len(told) != 1 || told[0] != "fabcd: link n1→n2, loss 5%" || !s.sup.ready() {
		t.Errorf("events %q, ready %t", told, s.sup.ready())
	}
}

// setBlocked returns what nodes are told to refuse and to accept again.
func setBlocked(actions []Action) map[string][2][]string {
	told := map[string][2][]string{}
	for _, a := range actions {
		if b, ok := a.(SetBlocked); ok {
			told[b.Node] = [2][]string{b.Block, b.Unblock}
		}
	}
	return told
}

// A fault that says disconnect needs no kernel: the VMs are told to refuse each other, each run of
// them, and to accept each other again after the heal.
func TestAFaultThatDisconnects(t *testing.T) {
	s := up(t, 3, nil)
	f := fault.Isolate("n1")
	f.ID, f.How = "fabcd", fault.Disconnect
	told := setBlocked(s.sup.Step(FaultsInForce{Faults: []fault.Fault{f}}, s.now))
	if got := told["n1"][0]; len(told) != 1 || !slices.Equal(got, []string{"n2", "n3"}) { // the others after it
		t.Fatalf("told %v", told)
	}
	n1 := s.sup.byName["n1"]
	told = setBlocked(s.sup.Step(BlockedSet{RunID: n1.report(), Block: []string{"n2", "n3"}}, s.now))
	if !slices.Equal(told["n2"][0], []string{"n1"}) || !slices.Equal(told["n3"][0], []string{"n1"}) {
		t.Errorf("told %v", told)
	}
	for _, node := range []string{"n2", "n3"} {
		s.sup.Step(BlockedSet{RunID: s.sup.byName[node].report(), Block: []string{"n1"}}, s.now)
	}
	told = setBlocked(s.sup.Step(FaultsInForce{}, s.now))
	if !slices.Equal(told["n1"][1], []string{"n2", "n3"}) || !slices.Equal(told["n2"][1], []string{"n1"}) || !slices.Equal(told["n3"][1], []string{"n1"}) {
		t.Errorf("healed: told %v", told)
	}
}

// No kernel ends a squeeze: the supervisor does.
func TestASqueezeEnds(t *testing.T) {
	s := up(t, 2, nil)
	f := fault.Fault{ID: "fabcd", Kind: fault.KindSqueeze, Nodes: []string{"n2"}, Limits: fault.Limits{CPUs: 0.1}, End: s.now.Add(time.Second)}
	s.sup.Step(FaultsInForce{Faults: []fault.Fault{f}}, s.now)
	s.now = f.End
	var applied []string
	for _, a := range s.sup.Step(Tick{}, s.now) {
		if apply, ok := a.(ApplyFaults); ok {
			applied = append(applied, apply.Nodes...)
		}
	}
	if !slices.Equal(applied, []string{"n2"}) {
		t.Errorf("applied to %v", applied)
	}
}

// The journal has a fault as it was injected, so that what was done can be written down as a test.
func TestTheJournalHasTheWholeFault(t *testing.T) {
	s := up(t, 3, nil)
	f := fault.Isolate("n1")
	f.ID, f.How = "fabcd", fault.Reset
	for _, tc := range []struct {
		in     []fault.Fault
		healed bool
	}{{[]fault.Fault{f}, false}, {nil, true}} {
		actions := s.sup.Step(FaultsInForce{Faults: tc.in}, s.now)
		i := slices.IndexFunc(actions, func(a Action) bool { _, ok := a.(Fault); return ok })
		if i < 0 {
			t.Fatalf("no entry for %v", tc.in)
		}
		if got := actions[i].(Fault); got.Fault == nil || got.Fault.String() != f.String() || got.Fault.ID != f.ID || got.Healed != tc.healed {
			t.Errorf("%+v", got)
		}
	}
}

// A node that failed is not diagnosed again: its findings do not tell of a fault that is healed.
func TestAHealedFaultIsNoFindingOfAFailedNode(t *testing.T) {
	s := up(t, 3, func(spec *orchestrator.Spec) { spec.Restart.Mode = orchestrator.RestartNo })
	f := fault.Isolate("n1")
	f.ID = "fabcd"
	s.sup.Step(FaultsInForce{Faults: []fault.Fault{f}}, s.now)
	s.die("n2", 3)
	s.postmortem("n2", "")
	s.state("n2", orchestrator.Failed)
	answer := s.answer(finding("", "fault-in-force", "broken on purpose"), finding("n2", "crash-dump", "x"))
	s.sup.Step(answer, s.now)
	n2 := s.sup.byName["n2"]
	if len(n2.found) != 2 {
		t.Fatalf("findings %v", n2.found)
	}
	s.sup.Step(FaultsInForce{}, s.now)
	if len(n2.found) != 1 || n2.found[0].Code != "crash-dump" {
		t.Errorf("findings after the heal: %v", n2.found)
	}
	s.sup.Step(answer, s.now)
	if len(n2.found) != 1 {
		t.Errorf("findings of a diagnosis before the heal: %v", n2.found)
	}
}

// While a host does not answer, a fault that is not listed is in force still: its record may be
// there. One whose record is known to be gone is healed.
func TestAFaultThatIsRecordedOnALostHost(t *testing.T) {
	s := up(t, 3, nil)
	f := fault.Isolate("n1")
	f.ID = "fabcd"
	s.sup.Step(FaultsInForce{Faults: []fault.Fault{f}}, s.now)
	if told := faultEvents(s.sup.Step(FaultsInForce{Partial: true}, s.now)); told != nil || len(s.sup.faults) != 1 {
		t.Errorf("events %q, faults %v", told, s.sup.faults)
	}
	if told := faultEvents(s.sup.Step(FaultsInForce{Partial: true, Faults: []fault.Fault{f}}, s.now)); told != nil || len(s.sup.faults) != 1 {
		t.Errorf("events %q, faults %v", told, s.sup.faults)
	}
	if told := faultEvents(s.sup.Step(FaultsInForce{Partial: true, Healed: []string{"fabcd"}}, s.now)); len(told) != 1 || len(s.sup.faults) != 0 {
		t.Errorf("events %q, faults %v", told, s.sup.faults)
	}
}
