//go:build bench

package e2e_test

import (
	"context"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator/faults"
)

// TestBenchFaults measures a partition of five nodes: the time from the request until the rules
// are in force and read back on every node, until it is healed, and of a blip between its groups.
func TestBenchFaults(t *testing.T) {
	eng := engine(t)
	r := up(t, eng, "trixie", 5, nil)
	program, ref := beamyard(t, "0")
	t.Cleanup(func() { removeImage(t, ref) })
	i := faults.Injector{Engine: eng, Spec: r.Spec(), Program: program}
	partition := fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n1", "n2"}}, How: fault.Reset}
	var injected, healed, blipped []time.Duration
	for range 8 {
		began := time.Now()
		f, err := i.Inject(t.Context(), partition, 0)
		if err != nil {
			t.Fatal(err)
		}
		injected = append(injected, time.Since(began))
		began = time.Now()
		if _, err := i.Heal(context.WithoutCancel(t.Context()), f.ID); err != nil {
			t.Fatal(err)
		}
		healed = append(healed, time.Since(began))
		r.ready()
		began = time.Now()
		if _, err := i.ResetConnections(t.Context(), partition.Cuts([]string{"n1", "n2", "n3", "n4", "n5"})); err != nil {
			t.Fatal(err)
		}
		blipped = append(blipped, time.Since(began))
		r.ready()
	}
	// The first one makes the image.
	t.Logf("5 nodes: in force and read back %s, healed %s, blip %s (medians of 7)", median(injected[1:]), median(healed[1:]), median(blipped[1:]))
}
