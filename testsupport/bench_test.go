//go:build bench

package testsupport_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"

	"github.com/beamyard/beamyard/testsupport"
)

// The benchmark measures pairs side by side in one run, like that of package
// orchestrator/e2e. Machines are noisy, so ratios and medians count. It prints, and fails
// only if something does not work.

const benchNodes = 3

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

// TestBenchStart prints its rows of the table in orchestrator/e2e/BENCH.md.
func TestBenchStart(t *testing.T) {
	cli, err := testcontainers.NewDockerClientWithOpts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer cli.Close()
	var m model
	proven(t, func(c *testsupport.Cluster) { m = modelOf(t, c) }) // this also warms every cache

	var bare, served, starts, byHand, byUs []float64
	work := []func(){
		func() {
			listening, serving := floor(t, cli.Client, m)
			bare, served = append(bare, listening.Seconds()), append(served, serving.Seconds())
		},
		func() { starts = append(starts, proven(t, nil).Seconds()) },
		func() { byHand = append(byHand, plain(t, m, written()).Seconds()) },
		func() { byUs = append(byUs, plain(t, m, tuned(m)).Seconds()) },
	}
	for round := range 8 {
		for _, one := range work {
			one()
		}
		if round == 0 { // warms the caches
			bare, served, starts, byHand, byUs = nil, nil, nil, nil, nil
		}
		slices.Reverse(work)
	}

	var warm []float64
	for i := range 22 {
		t.Run("shared", func(t *testing.T) {
			began := time.Now()
			testsupport.Shared(t, "bench", demo, testsupport.WithNodes(benchNodes))
			if i > 0 { // the first test starts it
				warm = append(warm, float64(time.Since(began).Microseconds())/1e3)
			}
		})
	}
	if t.Failed() {
		return
	}
	row := func(what string, others []float64, ratio float64, target string) {
		fmt.Printf("| %s | %d | %.2f s | %.2f s | %.2f | %s |\n", what, benchNodes, median(others), median(starts), ratio, target)
	}
	fmt.Print("| testsupport.Start to a proven full mesh, beside | nodes | other | Beamyard | ratio (median of pairs) | target |\n|---|---|---|---|---|---|\n")
	row("the floor (Start over it)", bare, median(over(starts, bare)), "≤ 1.3")
	row("the floor, until each application answers (Start over it)", served, median(over(starts, served)), "")
	row("testcontainers-go alone, with `mix run` and `elixir --rpc-eval` (it over Start)", byHand, median(over(byHand, starts)), "≥ 1.5")
	row("testcontainers-go alone, with Beamyard's command and `erl_call` (it over Start)", byUs, median(over(byUs, starts)), "")
	fmt.Printf("| testsupport.Shared, warm | %d | | %.1f ms | | < 100 ms |\n", benchNodes, median(warm))
}

// over divides the rounds of one series by those of another.
func over(above, below []float64) []float64 {
	ratios := make([]float64, len(above))
	for i := range above {
		ratios[i] = above[i] / below[i]
	}
	return ratios
}

// proven times testsupport's start until the mesh is proven.
func proven(t *testing.T, look func(*testsupport.Cluster)) time.Duration {
	t.Helper()
	began := time.Now()
	c, err := testsupport.Run(t.Context(), demo, testsupport.WithNodes(benchNodes))
	took := time.Since(began)
	testsupport.CleanupCluster(t, c)
	if err != nil {
		t.Fatal(err)
	}
	if look != nil {
		look(c)
	}
	if err := c.Terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return took
}
