package probe

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// A finding that several report is listed once, and then not all is well.
func TestFindingsAreListedOnce(t *testing.T) {
	suggests := func(r orchestrator.HealthReport, text string) bool {
		return len(r.Suggestions) == 1 && r.Suggestions[0].String() == text
	}
	judged := func(nodes ...health.Seen) health.Report {
		return health.Judge(health.Observation{Nodes: nodes}, health.Expectations{Cluster: "shop"}, health.Thresholds{})
	}
	whole := orchestrator.Finding{Code: "clock-skew", Problem: "the clock is 3s off"}
	again := orchestrator.Finding{Code: "clock-skew", Problem: "the clock is 3.1s off"}
	one := orchestrator.Finding{Code: "latin1", Node: "n1", Problem: "file names"}
	other := orchestrator.Finding{Code: "latin1", Node: "n2", Problem: "file names"}
	if r := withFindings(judged(), nil); !suggests(r, "all is well: nothing to do") {
		t.Errorf("without findings: %q", r.Suggestions)
	}
	r := withFindings(judged(), []orchestrator.Finding{whole, one, whole, again, other, one})
	if diff := cmp.Diff([]orchestrator.Finding{whole, one, other}, r.Findings); diff != "" {
		t.Error(diff)
	}
	if !r.Passed || !suggests(r, "no check failed, but see the findings") {
		t.Errorf("with findings: passed %t, %q", r.Passed, r.Suggestions)
	}
	r = withFindings(judged(health.Seen{Name: "n1", Reason: "stopped", Hint: hint.Text("do it")}), []orchestrator.Finding{one})
	if !suggests(r, "do it") {
		t.Errorf("with a failure: %q", r.Suggestions)
	}
}

// A report's own finding replaces an older one of the supervisor, and a cause of the whole cluster
// comes first.
func TestFindingsAreMerged(t *testing.T) {
	old := orchestrator.Finding{Code: "mnesia-apart", Node: "n1", Problem: "as a line said"}
	now := orchestrator.Finding{Code: "mnesia-apart", Node: "n1", Problem: "as all nodes say"}
	other := orchestrator.Finding{Code: "not-connected", Node: "n2"}
	fault := orchestrator.Finding{Code: "fault-in-force"}
	if diff := cmp.Diff([]orchestrator.Finding{fault, other, now}, merged([]orchestrator.Finding{old, other}, []orchestrator.Finding{now, fault})); diff != "" {
		t.Error(diff)
	}
}

// What faults keep from a node is known when it is judged: the pairs that they cut, those that
// global disconnects because of them, and the host.
func TestFaultsAreExplained(t *testing.T) {
	names := []string{"n1", "n2", "n3"}
	bridge, hard := fault.Bridge(names, "n2"), fault.Isolate("n3")
	bridge.ID, hard.ID, hard.Hard = "f1", "f2", true
	node := func(name string, prevents bool) health.Seen {
		return health.Seen{Name: name, Sample: &health.Sample{PreventOverlapping: prevents}}
	}
	cuts := func(seen []health.Seen, faults ...fault.Fault) string {
		explain(orchestrator.Spec{Name: "shop"}, seen, faults)
		var b strings.Builder
		for _, n := range seen {
			for _, peer := range names {
				if by, ok := n.Cut[peer]; ok {
					fmt.Fprintf(&b, "%s-%s %s %v, ", n.Name, peer, by.ID, by.Innocent)
				}
			}
		}
		return b.String()
	}
	if got := cuts([]health.Seen{node("n1", true), node("n2", true), node("n3", true)}, bridge); got != "n1-n2 f1 true, n1-n3 f1 false, n2-n1 f1 true, n2-n3 f1 true, n3-n1 f1 false, n3-n2 f1 true, " {
		t.Error(got)
	}
	if got := cuts([]health.Seen{node("n1", true), node("n2", false), node("n3", true)}, bridge); got != "n1-n3 f1 false, n3-n1 f1 false, " {
		t.Errorf("n2 allows overlapping partitions: %s", got)
	}
	seen := []health.Seen{node("n1", true), node("n2", true), {Name: "n3", Reason: "the connection to it is gone"}}
	cuts(seen, hard)
	if seen[2].Reason != "cut off from the host by f2 (partition n3 | the rest, drop, from the host too)" || seen[2].Hint.String() != "heal it: beamyard heal -c shop f2" {
		t.Errorf("%q, %q", seen[2].Reason, seen[2].Hint)
	}
	clock := fault.Fault{ID: "f3", Kind: fault.KindClock, Nodes: []string{"n2"}, Clock: fault.Clock{Bump: time.Hour}}
	cuts(seen, clock)
	if seen[0].Clock.ID != "" || seen[1].Clock.ID != "f3" || seen[1].Clock.Text != clock.String() {
		t.Errorf("clocks: %+v, %+v", seen[0].Clock, seen[1].Clock)
	}
}
