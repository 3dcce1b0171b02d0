//go:build bench

package bench_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/testsupport/internal/bench"
)

// kills starts the most nodes, fifty, kills one of them each second for two minutes, and removes
// all.
func (s *session) kills(t *testing.T) {
	kills := rounds(120, 0)
	nodes := numbers(t)[len(numbers(t))-1]
	before := s.goroutines(t)
	name := "benchkills"
	heard := s.countEvents(t, name)
	r := s.up(t, nodes, func(spec *orchestrator.Spec) { spec.Name = name })
	cpu, began := ticks(t, "self"), time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	peak := 0.0
	for i := range kills {
		<-tick.C
		peak = max(peak, resident(t, "self"))
		if _, err := s.cli.ContainerKill(t.Context(), r.node(fmt.Sprintf("n%d", i*7%nodes+1)).ContainerID, client.ContainerKillOptions{Signal: "KILL"}); err != nil {
			t.Errorf("kill %d: %v", i, err)
		}
	}
	share := (ticks(t, "self") - cpu) / time.Since(began).Seconds()
	healed := seconds(t, func() error { return r.WaitReady(t.Context()) })
	restarts := 0
	for _, n := range r.Snapshot().Nodes {
		restarts += n.RestartCount
	}
	if restarts != kills {
		t.Errorf("%d restarts after %d kills", restarts, kills)
	}
	var back []float64
	for _, d := range r.recoveries("") {
		back = append(back, d.Seconds())
	}
	busy := runtime.NumGoroutine()
	r.down()
	events := heard()
	add := func(key, what string, unit bench.Unit, values ...float64) {
		s.add(t, bench.Row{Key: key, What: what, Nodes: nodes, Unit: unit, Ours: values})
	}
	add("kills-restarts", fmt.Sprintf("%d kills, one a second: restarts", kills), bench.Count, float64(restarts))
	add("kills-back", "… from a death to Ready; a third restart backs off for 4 s", bench.Seconds, back...)
	add("kills-healed", "… all Ready after the last kill", bench.Seconds, healed)
	add("kills-memory", "… memory of the supervisor and this benchmark, at most", bench.Bytes, peak)
	add("kills-processor", "… processor time of the supervisor during the kills, of one core", bench.Share, share)
	add("kills-events", "… engine events handled", bench.Count, float64(events))
	add("kills-goroutines", "… goroutines with all nodes, over before", bench.Count, float64(busy-before))
	// Connections to the engine are kept for a while.
	add("kills-goroutines-after", "… goroutines after `down`, over before", bench.Count, float64(s.goroutines(t)-before))
}

// goroutines waits until their number is stable.
func (s *session) goroutines(t *testing.T) int {
	t.Helper()
	least := runtime.NumGoroutine()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for stable := 0; stable < 10; {
		<-tick.C
		now := runtime.NumGoroutine()
		if stable++; now < least {
			stable = 0
		}
		least = min(least, now)
	}
	return least
}

// countEvents counts the engine's events of a cluster from now on.
func (s *session) countEvents(t *testing.T, name string) (stop func() int64) {
	t.Helper()
	var count atomic.Int64
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_ = s.eng.Events(ctx, time.Time{}, map[string]string{orchestrator.LabelCluster: name},
			func() { close(ready) }, func(orchestrator.ContainerEvent) { count.Add(1) }) // ends with ctx
	}()
	<-ready
	return func() int64 {
		cancel()
		<-done
		return count.Load()
	}
}
