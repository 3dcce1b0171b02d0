//go:build bench

package e2e_test

import (
	"slices"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// Measures the health report of ten healthy nodes: with a supervisor, whose links are
// open, and without one, so that each node is dialled first and its load measured over 20
// ms. The goal is a median under 50 ms with a supervisor.
func TestBenchHealth(t *testing.T) {
	const rounds = 51
	eng := engine(t)
	r := up(t, eng, "trixie", 10, func(s *orchestrator.Spec) { s.HTTPCheck = "" })
	eventually(t, "all is well, with a load since an earlier sample", func() bool {
		report, err := r.Health(t.Context())
		return err == nil && report.Passed
	})
	measure := func(health func() (bool, error)) (median, slowest time.Duration) {
		t.Helper()
		var took []time.Duration
		for range rounds {
			began := time.Now()
			passed, err := health()
			if err != nil || !passed {
				t.Fatalf("not healthy: %v", err)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return took[rounds/2], took[rounds-1]
	}
	median, slowest := measure(func() (bool, error) {
		report, err := r.Health(t.Context())
		return report.Passed, err
	})
	t.Logf("health of 10 nodes, supervised:   median %s, slowest %s of %d", median, slowest, rounds)
	median, slowest = measure(func() (bool, error) {
		report, err := discovery.Health(t.Context(), eng, r.name)
		return report.Passed, err
	})
	t.Logf("health of 10 nodes, unsupervised: median %s, slowest %s of %d", median, slowest, rounds)
}
