//go:build bench

package e2e_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/codesync"
)

// Measures the time from a saved file to proven code on all nodes, and the share of Mix.
// The goal is a median of at most 150 ms over Mix's time on 3 nodes, and 250 ms on 10.
// With an image that was just built, some syncs take a second more: Mix compares times in
// whole seconds, and no person saves as fast as this benchmark (compiler.ex, tick/0).
func TestBenchSync(t *testing.T) {
	const rounds = 21
	for _, size := range []struct{ nodes, more int }{{3, 0}, {10, 0}, {3, 300}} {
		nodes := size.nodes
		eng, p := engine(t), newProject(t)
		for i := range size.more { // modules that no node loads: their files are proven
			p.write(fmt.Sprintf("lib/demo/more%d.ex", i), fmt.Sprintf("defmodule Demo.More%d do\n  def v, do: %d\nend\n", i, i))
		}
		r := up(t, eng, "trixie", nodes, func(s *orchestrator.Spec) { s.Source, s.HTTPCheck = p.dir, "" })
		p.version("", "100")
		r.sync(orchestrator.SyncOptions{})
		var over, whole []time.Duration
		var report codesync.Report
		for i := range rounds {
			p.version(fmt.Sprint(100+i), fmt.Sprint(101+i))
			began := time.Now()
			report = r.sync(orchestrator.SyncOptions{})
			took := time.Since(began)
			if len(report.Changed) != 1 || len(report.Nodes) != nodes {
				t.Fatalf("not synced: %+v", report)
			}
			whole, over = append(whole, took), append(over, took-report.Compile)
		}
		r.serves(fmt.Sprint(100+rounds), "n1", fmt.Sprintf("n%d", nodes))
		slices.Sort(whole)
		slices.Sort(over)
		t.Logf("sync of %d nodes, %d modules: median %s, of which over compiling %s, slowest %s of %d", nodes, report.Compared, whole[rounds/2], over[rounds/2], over[rounds-1], rounds)
		if err := r.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
