package probe

import (
	"testing"

	"github.com/google/go-cmp/cmp"

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
