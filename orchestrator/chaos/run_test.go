package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

// world is a cluster in memory: what is broken is Ready again a while after the fault ends.
type world struct {
	mu      sync.Mutex
	begin   time.Time
	history []string
	broken  map[string]time.Time // what is not ready, and when it is again; zero: not before it is mended
	down    map[string]bool      // nodes for which actions are missed
	refuses map[string]error     // by the name of the action
	faults  int
}

func newWorld() *world {
	return &world{begin: time.Now(), broken: map[string]time.Time{}, down: map[string]bool{}, refuses: map[string]error{}}
}

func (w *world) did(action string, args ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history = append(w.history, strings.TrimSpace(fmt.Sprintf("%s %s %s", seconds(time.Since(w.begin)), action, strings.Join(args, " "))))
	for _, n := range args {
		if w.down[n] {
			return fmt.Errorf("%s: %w", n, orchestrator.ErrNotRunning)
		}
	}
	return w.refuses[action]
}

// breaks breaks things, until some time later if that is not 0.
func (w *world) breaks(after time.Duration, things ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, thing := range things {
		w.broken[thing] = time.Time{}
		if after > 0 {
			w.broken[thing] = time.Now().Add(after)
		}
	}
}

// mends makes these things, or those with a prefix, come back after a while.
func (w *world) mends(after time.Duration, prefix string, things ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for thing, at := range w.broken {
		if at.IsZero() && (len(things) == 0 || slices.Contains(things, thing)) && strings.HasPrefix(thing, prefix) {
			w.broken[thing] = time.Now().Add(after)
		}
	}
}

func (w *world) Kill(_ context.Context, nodes ...string) error {
	err := w.did("kill", nodes...)
	if err == nil {
		w.breaks(1500*time.Millisecond, nodes...)
	}
	return err
}

func (w *world) Stop(_ context.Context, nodes ...string) error {
	w.breaks(0, nodes...)
	return w.did("stop", nodes...)
}

func (w *world) Start(ctx context.Context, nodes ...string) error {
	w.mends(time.Second, "n", nodes...)
	return errors.Join(ctx.Err(), w.did("start", nodes...))
}

func (w *world) Pause(_ context.Context, nodes ...string) error {
	w.breaks(0, nodes...)
	return w.did("pause", nodes...)
}

func (w *world) Unpause(ctx context.Context, nodes ...string) error {
	w.mends(200*time.Millisecond, "n", nodes...)
	return errors.Join(ctx.Err(), w.did("unpause", nodes...))
}

func (w *world) Inject(_ context.Context, f fault.Fault, lasts time.Duration) (string, error) {
	w.faults++
	id := fmt.Sprintf("f%d", w.faults)
	if f.Kind != fault.KindLink {
		w.breaks(0, id)
	}
	return id, w.did("inject", id, "for", lasts.String()+":", f.String())
}

func (w *world) Heal(ctx context.Context, ids ...string) error {
	w.mends(500*time.Millisecond, "f", ids...)
	return errors.Join(ctx.Err(), w.did("heal", ids...))
}

func (w *world) Blip(_ context.Context, f fault.Fault) error {
	w.breaks(300*time.Millisecond, "blip")
	return w.did("blip", f.String())
}

func (w *world) Ready(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for thing, at := range w.broken {
		if at.IsZero() || time.Now().Before(at) {
			return errors.New(thing + " is broken")
		}
	}
	return nil
}

func (w *world) told() string { return strings.Join(w.history, "\n") }

var _ Actor = (*world)(nil)

func partition(node string) fault.Fault { return fault.Partition([]string{node}) }

// A schedule is played at its times, and each fault ends at its own. The last phase ends all.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var told []string
		r := Runner{Actor: w, Tell: func(e Event) { told = append(told, e.String()) }}
		report, err := r.Run(t.Context(), Schedule{Seed: 7, Nodes: names, Steps: []Step{
			{At: 2 * time.Second, Kind: Kill, Nodes: []string{"n1"}, Lasts: 3 * time.Second},
			{At: 10 * time.Second, Kind: Partition, Fault: partition("n2"), Lasts: 4 * time.Second},
			{At: 14050 * time.Millisecond, After: 50 * time.Millisecond, Kind: Blip, Fault: partition("n3")},
			{At: 20 * time.Second, Kind: Pause, Nodes: []string{"n4"}, Lasts: 2 * time.Second},
			{At: 30 * time.Second, Kind: Stop, Nodes: []string{"n5"}, Lasts: 2 * time.Second},
		}})
		if err != nil {
			t.Fatal(err)
		}
		// The schedule begins when the cluster has been ready for a second.
		want := `3.0s kill n1
6.0s start n1
11.0s inject f1 for 4s: partition n2 | the rest, drop
15.0s heal f1
15.1s blip partition n3 | the rest, drop
21.0s pause n4
23.0s unpause n4
31.0s stop n5
33.0s start n5
33.0s unpause
33.0s heal
33.0s start`
		if diff := cmp.Diff(want, w.told()); diff != "" {
			t.Error(diff)
		}
		want = `     2.0s  kill n1
     5.0s  all nodes are ready again, after 1.5s
    10.0s  partition n2 | the rest, drop for 4s
    14.0s  partition ends
    14.1s  blip n3 | the rest
    15.7s  all nodes are ready again, after 0.5s
    20.0s  pause n4 for 2s
    22.0s  pause ends
    23.3s  all nodes are ready again, after 0.2s
    30.0s  stop n5 for 2s
    32.0s  stop ends
    32.0s  all faults end; waiting for the nodes`
		if diff := cmp.Diff(want, strings.Join(told, "\n")); diff != "" {
			t.Error(diff)
		}
		want = `5 faults
  kill         1  ready again after 1.5s
  stop         1  ready again after 1.0s
  pause        1  ready again after 0.2s
  partition    1  not ready again before the next one
  blip         1  ready again after 0.5s
the cluster is as it should be, 2.0s after the last fault
`
		if diff := cmp.Diff(want, report.String()); diff != "" {
			t.Error(diff)
		}
	})
}

// slowWorld takes its time to end everything.
type slowWorld struct{ *world }

func (w slowWorld) Heal(ctx context.Context, ids ...string) error {
	if len(ids) == 0 {
		time.Sleep(3 * time.Second)
	}
	return w.world.Heal(ctx, ids...)
}

// The cluster is back no earlier than the nodes of the last fault: both times begin when it ends.
func TestTheTimeToBeBackHasThatToEndEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := Runner{Actor: slowWorld{newWorld()}, Tell: func(Event) {}}
		report, err := r.Run(t.Context(), Schedule{Seed: 7, Nodes: names, Steps: []Step{{Kind: Pause, Nodes: []string{"n4"}, Lasts: time.Second}}})
		if err != nil {
			t.Fatal(err)
		}
		if ready := report.Steps[0].Recovered; ready == nil || report.Back == nil || *report.Back < *ready || *ready < 3*time.Second {
			t.Errorf("the nodes of the last fault are ready after %v, the cluster after %v", ready, report.Back)
		}
	})
}

// A node that does not run misses its step, and the run goes on.
func TestRunMisses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.down["n1"] = true
		_, err := Runner{Actor: w}.Run(t.Context(), Schedule{Nodes: names, Steps: []Step{
			{Kind: Kill, Nodes: []string{"n1"}, Lasts: time.Second}, {At: 5 * time.Second, Kind: Kill, Nodes: []string{"n2"}, Lasts: time.Second},
		}})
		if err == nil || !errors.Is(err, orchestrator.ErrNotRunning) { // the world refuses the start too
			t.Errorf("%v", err)
		}
		w.down = map[string]bool{}
		w.refuses["pause"] = fmt.Errorf("n1: %w", orchestrator.ErrNotRunning)
		report, err := Runner{Actor: w}.Run(t.Context(), Schedule{Nodes: names, Steps: []Step{
			{Kind: Pause, Nodes: []string{"n1"}, Lasts: time.Second}, {At: 5 * time.Second, Kind: Kill, Nodes: []string{"n2"}, Lasts: time.Second},
		}})
		if err != nil || report.Steps[0].Missed != "n1: not running" || report.Steps[1].Missed != "" {
			t.Errorf("%+v, %v", report, err)
		}
		if text := report.String(); !strings.HasPrefix(text, "1 fault, and 1 without effect\n") {
			t.Errorf("%s", text)
		}
	})
}

// A cluster that does not come back, and checks that do not hold, are failures with the seed.
func TestRunFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Schedule{Seed: 9, Nodes: names, Steps: []Step{{Kind: Partition, Fault: partition("n1"), Lasts: time.Second}}}
		calls := 0
		checks := func(context.Context) error {
			if calls++; calls > 1 {
				return errors.New("two pids")
			}
			return nil
		}
		_, err := Runner{Actor: newWorld(), Checks: checks}.Run(t.Context(), s)
		var failed *FailedError
		if !errors.As(err, &failed) || failed.Seed != 9 || err.Error() != "after the faults of seed 9: after 10s: two pids" {
			t.Errorf("%v", err)
		}
		w := newWorld()
		begin := time.Now()
		_, err = Runner{Actor: w, Recovery: 5 * time.Second, Tell: func(e Event) {
			if e.Phase == Lasts {
				w.breaks(0, "x")
			}
		}}.Run(t.Context(), s)
		if !errors.As(err, &failed) || !errors.Is(err, orchestrator.ErrNotReady) || !strings.HasSuffix(err.Error(), "after 5s: x is broken") {
			t.Errorf("%v", err)
		}
		if took := time.Since(begin); took < 7*time.Second || took > 8*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// A cluster that is not as it should be is not broken further.
func TestRunNeedsAHealthyCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.breaks(0, "n1")
		s := Schedule{Nodes: names, Steps: []Step{{Kind: Kill, Nodes: []string{"n1"}}}}
		_, err := Runner{Actor: w, Recovery: time.Second}.Run(t.Context(), s)
		if err == nil || !strings.HasPrefix(err.Error(), "before the first fault: ") || errors.As(err, new(*FailedError)) || len(w.history) > 0 {
			t.Errorf("%v:\n%s", err, w.told())
		}
		_, err = Runner{Actor: newWorld(), Checks: func(context.Context) error { return errors.New("no") }}.Run(t.Context(), s)
		if err == nil || err.Error() != "before the first fault: after 10s: no" {
			t.Errorf("%v", err)
		}
	})
}

// A fault that cannot be injected, and an interrupt, end the run, and everything is ended.
func TestRunEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Schedule{Nodes: names, Steps: []Step{
			{Kind: Pause, Nodes: []string{"n1"}, Lasts: 10 * time.Second}, {At: 15 * time.Second, Kind: Loss, Fault: partition("n1"), Lasts: time.Second},
		}}
		w := newWorld()
		w.refuses["inject"] = orchestrator.ErrFaultUnsupported
		_, err := Runner{Actor: w}.Run(t.Context(), s)
		if !errors.Is(err, orchestrator.ErrFaultUnsupported) || errors.As(err, new(*FailedError)) || !strings.HasSuffix(w.told(), "16.0s unpause\n16.0s heal\n16.0s start") {
			t.Errorf("%v:\n%s", err, w.told())
		}
		w = newWorld()
		interrupt := errors.New("Ctrl-C")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(5*time.Second, func() { cancel(interrupt) })
		_, err = Runner{Actor: w}.Run(ctx, s)
		if !errors.Is(err, interrupt) || w.told() != "1.0s pause n1\n5.0s unpause\n5.0s heal\n5.0s start" {
			t.Errorf("%v:\n%s", err, w.told())
		}
	})
}

// The time to the next leader counts from the fault that took the last one.
func TestRunReportsLeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		leader := func(context.Context) []string {
			switch at := time.Since(w.begin); {
			case at < 6200*time.Millisecond:
				return []string{"n1"}
			case at < 7*time.Second:
				return []string{"", "n1"}
			case at < 9*time.Second:
				return []string{"n2", "n3"}
			}
			return []string{"n2"}
		}
		report, err := Runner{Actor: w, Leader: leader}.Run(t.Context(), Schedule{Nodes: names, Steps: []Step{
			{Kind: Blip, Fault: partition("n2")}, {At: 5 * time.Second, Kind: Kill, Nodes: []string{"n1"}, Lasts: time.Second}, {At: 20 * time.Second, Kind: Blip, Fault: partition("n2")},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if d := report.Steps[1].Leader; d == nil || d.Round(poll) != 3*time.Second || report.Steps[0].Leader != nil || report.Steps[2].Leader != nil {
			t.Errorf("%s", report)
		}
		if !strings.Contains(report.String(), "kill         1  ready again after 1.5s; one leader again after 3.0s\n") {
			t.Errorf("%s", report)
		}
	})
}
