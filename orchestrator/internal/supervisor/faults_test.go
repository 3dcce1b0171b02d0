package supervisor

import (
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
	if told := faultEvents(s.sup.Step(FaultsInForce{[]fault.Fault{f}}, s.now)); len(told) != 1 || told[0] != "fabcd: partition n1 | the rest, drop" {
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
	if told := faultEvents(s.sup.Step(FaultsInForce{[]fault.Fault{f}}, s.now)); told != nil {
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
	s.sup.Step(FaultsInForce{[]fault.Fault{f}}, s.now)
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
	s.sup.Step(FaultsInForce{[]fault.Fault{f}}, s.now)
	s.send(Lost{RunID: s.report("n1"), Reason: "the connection broke"})
	s.after(readyGrace)
	s.state("n1", orchestrator.Degraded)
	m := s.sup.byName["n1"]
	if m.reason != "cut off from the host by fabcd" || s.sup.cutFromHost(s.sup.byName["n2"]) != "" {
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
	told := faultEvents(s.sup.Step(FaultsInForce{[]fault.Fault{f}}, s.now))
	if len(told) != 1 || told[0] != "fabcd: link n1→n2, loss 5%" || !s.sup.ready() {
		t.Errorf("events %q, ready %t", told, s.sup.ready())
	}
}
