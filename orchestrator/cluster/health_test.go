package cluster_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// health asks for a report.
func (w *world) health() orchestrator.HealthReport {
	w.t.Helper()
	r, err := w.Health(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// failures are the failed checks of a report, "group/name node: means".
func failures(r orchestrator.HealthReport) string {
	var lines []string
	for _, c := range r.Checks {
		if c.State == health.Failed {
			lines = append(lines, string(c.Group)+"/"+c.Name+" "+c.Node+": "+c.Means)
		}
	}
	return strings.Join(lines, "\n")
}

// play changes the answers of the VMs.
func (w *world) play(change func(*vms)) {
	w.vms.mu.Lock()
	defer w.vms.mu.Unlock()
	change(w.vms)
}

func (w *world) down() {
	w.t.Helper()
	if err := w.Down(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	<-w.result
}

func TestHealthOfACluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.up(nil)
		if r := w.health(); !r.Passed || failures(r) != "" || r.Cluster != "shop" || len(r.Nodes) != 3 || !r.Matrix.Full() {
			t.Errorf("healthy: %+v\n%s", r, failures(r))
		}
		w.play(func(v *vms) { v.code = map[string]string{"app@n2.shop.test": "other"} })
		if got := failures(w.health()); got != "code/modules : the nodes do not run the same code: Shop on n2" {
			t.Errorf("other code: %s", got)
		}
		w.play(func(v *vms) { v.code = nil })
		if err := w.Stop(t.Context(), "n3"); err != nil {
			t.Fatal(err)
		}
		if got := failures(w.health()); got != "connectivity/answers n3: n3: its container is stopped" {
			t.Errorf("stopped: %s", got)
		}
		w.down()
		if _, err := w.Health(t.Context()); !errors.Is(err, orchestrator.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// The suggestions of a report with findings do not say that all is well.
func TestAReportWithFindingsIsNotHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.up(func(s *orchestrator.Spec) { s.Command = []string{"erl", "-heart"} })
		r := w.health()
		found := map[string]int{}
		for _, f := range r.Findings {
			found[string(f.Code)+" "+f.Node]++
		}
		if len(found) == 0 || len(found) != len(r.Findings) {
			t.Errorf("findings %v", found)
		}
		if !r.Passed || strings.Contains(hint.Lines(r.Suggestions...).String(), "nothing to do") {
			t.Errorf("passed %t, suggestions %q", r.Passed, r.Suggestions)
		}
		w.down()
	})
}

// A node's state uses the same judgement as a report.
func TestANodeOverALimitIsDegradedUntilItIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.up(nil)
		w.play(func(v *vms) { v.processes = 950 })
		w.untilState("n2", orchestrator.Degraded)
		const words = "processes of n2: 950 of 1000 (95 %, over 90 %); at the limit no process can be started (system_limit)"
		if n := w.node("n2"); n.Reason != words {
			t.Errorf("reason %q", n.Reason)
		}
		if r := w.health(); r.Passed || !strings.Contains(failures(r), words) {
			t.Errorf("the report: %s", failures(r))
		}
		w.play(func(v *vms) { v.processes = 10 })
		w.ready()
		w.down()
	})
}

func TestCustomChecksDelayReadyAndAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var execs atomic.Int32
		var broken atomic.Bool
		broken.Store(true)
		w.eng.Command = func(_ context.Context, p *enginetest.Process) int {
			execs.Add(1)
			if broken.Load() {
				p.Stderr.Write([]byte("no space\nleft"))
				return 3
			}
			return 0
		}
		w.vms.value = "{:ok, 1}"
		w.run(func(s *orchestrator.Spec) {
			s.Checks = []orchestrator.Check{
				{Name: "answer", RPC: "Shop.answer()", Expect: "{:ok, 1}"},
				{Name: "disk", Exec: []string{"check-disk"}, Nodes: []string{"n1"}},
			}
		}, cluster.Options{})
		const words = "disk: exit code 3: no space left"
		w.until("n1 says why it is not ready", func() bool { return w.node("n1").Reason == words })
		before := execs.Load()
		time.Sleep(2 * time.Second)
		if n := execs.Load() - before; n < 6 || n > 9 {
			t.Errorf("the command was tried %d times in 2 s", n)
		}
		broken.Store(false)
		w.ready()

		// A settled node evaluates the expression again, but does not run the command again.
		before = execs.Load()
		time.Sleep(time.Minute)
		if n := execs.Load() - before; n != 0 {
			t.Errorf("a settled node ran the command %d times", n)
		}
		w.play(func(v *vms) { v.value = "{:error, :closed}" })
		w.untilState("n3", orchestrator.Degraded)
		if got := w.node("n3").Reason; got != "answer: it is {:error, :closed}, not {:ok, 1}" {
			t.Errorf("reason %q", got)
		}
		// A report runs all checks. An engine that fails makes the check itself crash.
		w.play(func(v *vms) { v.value = "{:ok, 1}" })
		w.ready()
		w.eng.FailNext("Exec", errors.New("the engine is away"))
		r := w.health()
		if got := failures(r); got != "operations/disk n1: disk: the engine is away" {
			t.Errorf("report: %s", got)
		}
		for _, c := range r.Checks {
			if c.State == health.Failed && (!c.Crashed || c.Suggestion.String() != "try it: docker exec beamyard-shop-n1 check-disk") {
				t.Errorf("%+v", c)
			}
		}
		if r := w.health(); !r.Passed || r.Summary.Total == 0 {
			t.Errorf("at last: %s", failures(r))
		}
		w.down()
	})
}

func TestACheckThatHangsHasATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.eng.Command = func(ctx context.Context, _ *enginetest.Process) int { <-ctx.Done(); return 137 }
		w.run(func(s *orchestrator.Spec) {
			s.Checks = []orchestrator.Check{{Exec: []string{"sleep", "1 day"}, Timeout: time.Second}}
		}, cluster.Options{})
		err := w.WaitReady(t.Context())
		if err == nil || !strings.Contains(err.Error(), "exec sleep 1 day: no result within 1s") {
			t.Errorf("error %v", err)
		}
		<-w.result
	})
}

// A report that is requested with less time than a check may take arrives in time, and
// says that the check was not completed.
func TestAReportArrivesInTimeIfACheckHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var hangs atomic.Bool
		w.eng.Command = func(ctx context.Context, _ *enginetest.Process) int {
			if hangs.Load() {
				<-ctx.Done()
			}
			return 0
		}
		w.up(func(s *orchestrator.Spec) {
			s.Checks = []orchestrator.Check{{Name: "disk", Exec: []string{"check-disk"}}}
		})
		hangs.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r, err := w.Health(ctx)
		if err != nil {
			t.Fatal(err)
		}
		c, failed := r.FirstFailed(health.Operations)
		if !failed || !c.Crashed || c.Means != "disk: no result within 4.5s: it may take 5s, but the caller does not wait any longer" {
			t.Errorf("%+v", c)
		}
		if r := w.health(); !strings.Contains(failures(r), "operations/disk n1: disk: no result within 5s") {
			t.Errorf("without a deadline: %s", failures(r))
		}
		hangs.Store(false)
		w.down()
	})
}

// The sweep every 5 s is only a fallback: a change that a node reports is examined at
// once.
func TestALostPairIsReconnectedWhenANodeReportsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.up(nil)
		time.Sleep(time.Minute + time.Second) // settled, between two sweeps
		var one *vm
		w.play(func(v *vms) {
			one = v.alive["app@n1.shop.test"]
			delete(one.peers, "app@n2.shop.test")
			delete(v.alive["app@n2.shop.test"].peers, "app@n1.shop.test")
		})
		began := time.Now()
		one.sights <- erldist.NodeEvent{Node: "app@n2.shop.test", Reason: "disconnect"}
		w.until("n1 and n2 are connected again", func() bool { return strings.Count(w.history(), "n1 met n2") == 2 })
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		w.down()
	})
}
