//go:build bench

package e2e_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/beamyard/beamyard/orchestrator"
)

// TestBenchScale starts 50 nodes, kills one each second for two minutes, and removes all.
// The supervisor runs in this process, whose memory and processor time are printed. For
// its growth, compare the same run with 10 nodes.
func TestBenchScale(t *testing.T) {
	const few, many, kills = 10, 50, 120
	eng, cli := engine(t), bareClient(t)
	var rows []string
	row := func(format string, args ...any) {
		rows = append(rows, fmt.Sprintf(format, args...))
		t.Log(rows[len(rows)-1])
	}
	var model container.InspectResponse
	measure(t, eng, 1, func(r *running) { model = template(t, cli, r.node("n1").ContainerID) })
	goroutines := func() int {
		least := runtime.NumGoroutine()
		eventually(t, "the number of goroutines is stable", func() bool {
			now := runtime.NumGoroutine()
			rests := now == least
			least = min(least, now)
			return rests
		})
		return least
	}
	before := goroutines()

	smallUp, _ := measure(t, eng, few, nil)
	f, floorTime := raise(t, cli, model, many)
	razeTime := f.raze(t)

	heard := countEvents(t, eng)
	began, idle := time.Now(), ticks(t, "self")
	r := up(t, eng, "trixie", many, func(s *orchestrator.Spec) { s.Name, s.ReadyTimeout = "benchscale", 5*time.Minute })
	upTime := time.Since(began)
	mesh := r.mesh()
	upTicks := ticks(t, "self") - idle

	restTicks, restTime := ticks(t, "self"), time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	peak := int64(0)
	for i := range kills {
		<-tick.C
		peak = max(peak, resident(t, "self"))
		if err := cli.ContainerKill(t.Context(), r.node(fmt.Sprintf("n%d", i*7%many+1)).ContainerID, "KILL"); err != nil {
			t.Errorf("kill %d: %v", i, err)
		}
	}
	killTime := time.Since(restTime)
	killTicks := ticks(t, "self") - restTicks
	healing := time.Now()
	r.ready()
	healTime := time.Since(healing)
	restarts := 0
	st, err := r.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range st.Nodes {
		restarts += n.RestartCount
	}
	if restarts != kills {
		t.Errorf("%d restarts after %d kills", restarts, kills)
	}
	back := r.recovery()
	busy := runtime.NumGoroutine()
	began = time.Now()
	if err := r.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	downTime := time.Since(began)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	events := heard()
	const perSecond = 100 // USER_HZ
	row("| what | nodes | floor | beamyard | ratio |")
	row("|---|---|---|---|---|")
	row("| up to a proven full mesh (%d pairs) | %d | %.1f s | %.1f s | %.2f |", mesh, many, floorTime.Seconds(), upTime.Seconds(), upTime.Seconds()/floorTime.Seconds())
	row("| growth of up from %d to %d nodes; 1 is linear | | %.1f s | %.1f s | %.2f |", few, many, smallUp.Seconds(), upTime.Seconds(), upTime.Seconds()/smallUp.Seconds()*few/many)
	row("| down (floor: forced removal) | %d | %.1f s | %.1f s | |", many, razeTime.Seconds(), downTime.Seconds())
	row("| %d kills, one a second: restarts | %d | | %d | |", kills, many, restarts)
	row("| … from a death to Ready again, median and longest of the last (a third restart waits 4 s) | %d | | %.1f s, %.1f s | |", many, median(back).Seconds(), slices.Max(back).Seconds())
	row("| … all Ready after the last | %d | | %.1f s | |", many, healTime.Seconds())
	row("| supervisor's memory, resident, at most | %d | | %.0f MB | |", many, float64(peak)/1e6)
	row("| supervisor's processor time for up; then of one core during the kills | %d | | %.1f s; %.1f %% | |", many,
		float64(upTicks)/perSecond, float64(killTicks)/perSecond/killTime.Seconds()*100)
	row("| engine events handled | %d | | %d | |", many, events)
	row("| goroutines before, with all nodes, after | %d | | %d, %d, %d | |", many, before, busy, goroutines())
	fmt.Println(strings.Join(rows, "\n"))
}

// countEvents counts the engine's events of the scale cluster from now on.
func countEvents(t *testing.T, eng orchestrator.Engine) (stop func() int64) {
	t.Helper()
	var count atomic.Int64
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_ = eng.Events(ctx, time.Time{}, map[string]string{orchestrator.LabelCluster: "benchscale"},
			func() { close(ready) }, func(orchestrator.ContainerEvent) { count.Add(1) }) // ends with ctx
	}()
	<-ready
	return func() int64 {
		cancel()
		<-done
		return count.Load()
	}
}

// mesh counts the connected pairs.
func (r *running) mesh() (pairs int) {
	r.t.Helper()
	st, err := r.Status(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, n := range st.Nodes {
		pairs += len(n.Peers)
	}
	return pairs / 2
}

// recovery returns how long each node took from its exit to Ready.
func (r *running) recovery() (took []time.Duration) {
	died := map[string]time.Time{}
	_ = r.Events(context.Background(), 0, false, func(e orchestrator.Event) error {
		switch {
		case e.Kind == orchestrator.EventExit:
			died[e.Node] = e.Exit.At
		case e.State == orchestrator.Ready && !died[e.Node].IsZero():
			took = append(took, e.Time.Sub(died[e.Node]))
			delete(died, e.Node)
		}
		return nil
	}) // reads what is kept
	return took
}
