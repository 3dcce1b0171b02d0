//go:build bench

package bench_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/faults"
	"github.com/beamyard/beamyard/testsupport/internal/bench"
)

// restarts kills a node, and takes the time from its death to Ready without the backoff, which
// is what it is. Its floor starts a killed container again.
func (s *session) restarts(t *testing.T) {
	const backoff = time.Second
	f := s.raise(t, s.model, 1)
	r := s.up(t, 3, func(spec *orchestrator.Spec) {
		spec.Restart = orchestrator.RestartPolicy{Backoff: backoff, MaxBackoff: backoff, Jitter: -1, Max: 100}
	})
	got := race(t, rounds(11, 5),
		func(t *testing.T) map[string]float64 { return map[string]float64{"again": f.again(t, 0)} },
		func(t *testing.T) map[string]float64 {
			before := r.node("n2").Incarnation
			if err := r.Kill(t.Context(), "KILL", "n2"); err != nil {
				t.Fatal(err)
			}
			if err := r.Await(t.Context(), func(st orchestrator.Status) bool {
				n, _ := st.Node("n2")
				return n.Incarnation > before && st.Ready
			}); err != nil {
				t.Fatal(err)
			}
			took := r.recoveries("n2")
			return map[string]float64{"restart": (took[len(took)-1] - backoff).Seconds()}
		})
	s.add(t, bench.Row{
		Key: "restart", What: "restart, death to Ready, without the backoff", Nodes: 3, Unit: bench.Seconds, Ours: got["restart"],
		By: "again", Beside: "bare Docker client: its application answers", Theirs: got["again"],
	})
}

// recoveries returns how long nodes took from an exit to Ready, oldest first: those of one node,
// or of all for "".
func (r *running) recoveries(node string) (took []time.Duration) {
	r.t.Helper()
	died := map[string]time.Time{}
	if err := r.Events(r.t.Context(), 0, false, func(e orchestrator.Event) error {
		switch {
		case node != "" && e.Node != node:
		case e.Kind == orchestrator.EventExit:
			died[e.Node] = e.Exit.At
		case e.State == orchestrator.Ready && !died[e.Node].IsZero():
			took = append(took, e.Time.Sub(died[e.Node]))
			delete(died, e.Node)
		}
		return nil
	}); err != nil {
		r.t.Fatal(err)
	}
	if len(took) == 0 {
		r.t.Fatalf("no recovery of %s among the events", node)
	}
	return took
}

// syncs times the way from a saved file to proven code on all nodes, beside the time that Mix
// takes to compile it. Mix compares times in whole seconds, so a sync right after another one waits
// for the next second (compiler.ex, tick/0). No person saves as fast: the rounds are a second apart.
func (s *session) syncs(t *testing.T) {
	sizes := []struct{ nodes, more int }{{3, 0}, {10, 0}, {3, 300}}
	if *quick {
		sizes = sizes[:1]
	}
	for _, size := range sizes {
		dir, write := project(t, size.more)
		version := func(n int) { write("bench", 100+n) }
		version(0)
		r := s.up(t, size.nodes, func(spec *orchestrator.Spec) { spec.Source, spec.HTTPCheck = dir, "" })
		if _, err := r.Sync(t.Context(), orchestrator.SyncOptions{}); err != nil { // starts the compiler
			t.Fatal(err)
		}
		modules := 0
		got := race(t, rounds(21, 7), func(t *testing.T) map[string]float64 {
			<-time.After(1100 * time.Millisecond)
			version(int(time.Now().UnixNano() % 1e9)) // new in each round
			began := time.Now()
			report, err := r.Sync(t.Context(), orchestrator.SyncOptions{})
			took := time.Since(began)
			if err != nil || len(report.Changed) != 1 || len(report.Nodes) != size.nodes {
				t.Fatalf("not synced: %+v, %v", report, err)
			}
			modules = report.Compared
			return map[string]float64{"sync": took.Seconds(), "compile": report.Compile.Seconds()}
		})
		key := "sync"
		if size.more > 0 {
			key = "sync-large"
		}
		s.add(t, bench.Row{
			Key: key, What: fmt.Sprintf("`sync` of a saved module, proven, in a project of %d", modules), Nodes: size.nodes,
			Unit: bench.Seconds, Ours: got["sync"], By: "compile", Beside: "Mix compiles it", Theirs: got["compile"],
		})
		image := r.Snapshot().Image
		r.down()
		s.removeImage(t, image)
	}
}

// project copies the demo, with more modules that no node loads: their files are proven. write changes
// one of the modules, or adds it.
func project(t *testing.T, more int) (dir string, write func(module string, value int)) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(demo)); err != nil {
		t.Fatal(err)
	}
	write = func(module string, value int) {
		text := fmt.Sprintf("defmodule Demo.%s do\n  def v, do: %d\nend\n", strings.ToUpper(module[:1])+module[1:], value)
		if err := os.WriteFile(filepath.Join(dir, "lib/demo", module+".ex"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i := range more {
		write(fmt.Sprintf("more%d", i), i)
	}
	return dir, write
}

// healths times the health report: of the supervisor, whose links are open, and by labels alone,
// which dials each node and measures its load over 20 ms.
func (s *session) healths(t *testing.T) {
	const nodes = 10
	r := s.up(t, nodes, func(spec *orchestrator.Spec) { spec.HTTPCheck = "" })
	// A busy machine may fail a check. The report counts when every node has told of itself.
	whole := func(report orchestrator.HealthReport, err error) error {
		for _, n := range report.Nodes {
			if n.Sample == nil && err == nil {
				err = fmt.Errorf("no sample of %s", n.Name)
			}
		}
		if err == nil && len(report.Nodes) != nodes {
			err = fmt.Errorf("a report of %d nodes", len(report.Nodes))
		}
		return err
	}
	if err := until(t.Context(), func() error { return whole(r.Health(t.Context())) }); err != nil {
		t.Fatal(err)
	}
	got := race(t, rounds(51, 15),
		func(t *testing.T) map[string]float64 {
			return map[string]float64{"ours": seconds(t, func() error { return whole(r.Health(t.Context())) })}
		},
		func(t *testing.T) map[string]float64 {
			return map[string]float64{"labels": seconds(t, func() error { return whole(discovery.Health(t.Context(), s.eng, r.Spec().Name)) })}
		})
	s.add(t, bench.Row{Key: "health", What: "`health` of all nodes, by their supervisor", Nodes: nodes, Unit: bench.Seconds, Ours: got["ours"]})
	s.add(t, bench.Row{Key: "health-labels", What: "`health` of all nodes, by labels alone, connections included", Nodes: nodes, Unit: bench.Seconds, Ours: got["labels"]})
}

// rpcs times calls of erlang:node/0 over one connection.
func (s *session) rpcs(t *testing.T) {
	const batch, callers = 500, 50
	r := s.up(t, 1, nil)
	conn, err := r.Dial(t.Context(), "n1")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	call := func() error {
		_, err := conn.Call(t.Context(), "erlang", "node")
		return err
	}
	got := race(t, rounds(21, 11),
		func(t *testing.T) map[string]float64 {
			return map[string]float64{"latency": seconds(t, func() error {
				for range batch {
					if err := call(); err != nil {
						return err
					}
				}
				return nil
			}) / batch}
		},
		func(t *testing.T) map[string]float64 {
			var calls atomic.Int64
			var group sync.WaitGroup
			ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
			defer cancel()
			began := time.Now()
			for range callers {
				group.Go(func() {
					for ctx.Err() == nil {
						if err := call(); err != nil {
							t.Error(err)
							return
						}
						calls.Add(1)
					}
				})
			}
			group.Wait()
			return map[string]float64{"rate": float64(calls.Load()) / time.Since(began).Seconds()}
		})
	s.add(t, bench.Row{Key: "rpc", What: "an RPC to a node, `erlang:node()`, one after the other", Nodes: 1, Unit: bench.Seconds, Ours: got["latency"]})
	s.add(t, bench.Row{Key: "rpc-rate", What: fmt.Sprintf("RPCs to a node, %d at once over one connection", callers), Nodes: 1, Unit: bench.PerSecond, Ours: got["rate"]})
}

// faults times a partition of five nodes: from the request until the rules are in force and read
// back on every node, until it is healed; and a blip between its groups.
func (s *session) faults(t *testing.T) {
	const nodes = 5
	r := s.up(t, nodes, nil)
	path, err := filepath.Abs(*program)
	if err != nil {
		t.Fatal(err)
	}
	i := faults.Injector{Engine: s.eng, Spec: r.Spec(), Program: path}
	if err := i.Prepare(t.Context()); err != nil { // makes the image
		t.Fatal(err)
	}
	partition := fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n1", "n2"}}, How: fault.Reset}
	got := race(t, rounds(9, 5), func(t *testing.T) map[string]float64 {
		var f fault.Fault
		injected := seconds(t, func() (err error) {
			f, err = i.Inject(t.Context(), partition, 0)
			return err
		})
		healed := seconds(t, func() error {
			_, err := i.Heal(context.WithoutCancel(t.Context()), f.ID)
			return err
		})
		r.ready()
		blip := seconds(t, func() error {
			_, err := i.ResetConnections(t.Context(), partition.Cuts([]string{"n1", "n2", "n3", "n4", "n5"}))
			return err
		})
		r.ready()
		return map[string]float64{"injected": injected, "healed": healed, "blip": blip}
	})
	for _, row := range []struct{ key, what, values string }{
		{"fault", "a partition in force, and read back on every node", "injected"},
		{"heal", "the partition healed", "healed"},
		{"blip", "a blip: two groups lose all their connections", "blip"},
	} {
		s.add(t, bench.Row{Key: row.key, What: row.what, Nodes: nodes, Unit: bench.Seconds, Ours: got[row.values]})
	}
}
