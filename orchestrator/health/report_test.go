package health

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// What several tell is there once, and then not all is well.
func TestFindingsAreToldOnce(t *testing.T) {
	whole := diagnosis.Finding{Code: "clock-skew", Problem: "the clock is 3s off"}
	again := diagnosis.Finding{Code: "clock-skew", Problem: "the clock is 3.1s off"}
	one := diagnosis.Finding{Code: "latin1", Node: "n1", Problem: "file names"}
	other := diagnosis.Finding{Code: "latin1", Node: "n2", Problem: "file names"}
	r := judged(cluster(2), Thresholds{})
	r.Tell()
	if !slices.Equal(r.Suggestions, []string{"all is well: nothing to do"}) {
		t.Errorf("without findings: %q", r.Suggestions)
	}
	r.Tell(whole, one, whole)
	r.Tell(again, other, one)
	if diff := cmp.Diff([]diagnosis.Finding{whole, one, other}, r.Findings); diff != "" {
		t.Error(diff)
	}
	if !r.Passed || !slices.Equal(r.Suggestions, []string{"no check failed, but see the findings"}) {
		t.Errorf("with findings: passed %t, %q", r.Passed, r.Suggestions)
	}
	nodes := cluster(2)
	nodes[0].Own = []Outcome{{Name: "a", Failure: "x", Hint: "do it"}}
	r = judged(nodes, Thresholds{})
	r.Tell(one)
	if !slices.Equal(r.Suggestions, []string{"do it"}) {
		t.Errorf("with a failure: %q", r.Suggestions)
	}
}
