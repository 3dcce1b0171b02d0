package e2e_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/chaos"
	"github.com/beamyard/beamyard/orchestrator/check"
)

// chaos is a runner of schedules with these checks.
func (r *running) chaos(checks ...string) chaos.Runner {
	r.t.Helper()
	var parsed []check.Check
	for _, text := range checks {
		c, err := check.Parse(text)
		if err != nil {
			r.t.Fatal(err)
		}
		parsed = append(parsed, c)
	}
	live := &chaos.Live{Cluster: r.Cluster, Faults: r.injector()}
	if err := live.Faults.Prepare(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return chaos.Runner{Actor: live, Checks: live.Holds(parsed...), Leader: live.Leaders("Single.leader()"), Settle: 5 * time.Second, Tell: func(e chaos.Event) { r.t.Log(e) }}
}

// single is a cluster of nodes of which one has a process that must be the only one.
func single(t *testing.T, env map[string]string) *running {
	return up(t, engine(t), "trixie", 3, func(s *orchestrator.Spec) {
		s.Source, s.HTTPCheck, s.HTTPPort, s.Env = "testdata/single", "", -1, env
		s.Restart.Backoff = 200 * time.Millisecond
	})
}

// short has one fault in a few seconds: kills and pauses, which the design of [single] survives,
// and partitions, after which a bug leaves two of these processes.
func short(seed uint64) chaos.Schedule {
	return chaos.Plan(chaos.Options{Seed: seed, For: 4 * time.Second, Every: 4 * time.Second, Kinds: []chaos.Kind{chaos.Kill, chaos.Pause, chaos.Partition}}, []string{"n1", "n2", "n3"})
}

// A bug that only some faults show is found by trying one seed after the other.
func TestChaosFindsABug(t *testing.T) {
	t.Parallel()
	r := single(t, map[string]string{"SINGLE_BUG": "1"})
	begin := time.Now()
	for seed := uint64(1); ; seed++ {
		s := short(seed)
		t.Log(s)
		report, err := r.chaos("unique: Single.names()").Run(t.Context(), s)
		t.Log(report)
		if err == nil && time.Since(begin) < time.Minute {
			continue
		}
		var failed *chaos.FailedError
		if !errors.As(err, &failed) || failed.Seed != seed || !errors.Is(err, check.ErrFailed) {
			t.Fatalf("after %s: %v", time.Since(begin), err)
		}
		if text := err.Error(); !strings.Contains(text, ":single has ") || !strings.Contains(text, " processes: #PID<0.") || !strings.Contains(text, "n1 says") {
			t.Errorf("%s", text)
		}
		if seed == 1 {
			t.Errorf("the first seed found it: choose another first one")
		}
		t.Logf("found by seed %d after %s", seed, time.Since(begin).Round(time.Millisecond))
		return
	}
}

// A saved schedule repeats what its seed did, and a design without the bug survives it.
func TestChaosReplay(t *testing.T) {
	t.Parallel()
	r := single(t, nil)
	s := chaos.Plan(chaos.Options{Seed: 3, For: 8 * time.Second, Every: 3 * time.Second, AfterHeal: 50 * time.Millisecond}, []string{"n1", "n2", "n3"})
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := chaos.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	var done [2][]string
	for i, schedule := range []chaos.Schedule{s, saved} {
		report, err := r.chaos("unique: Single.names()", "agree: node(Single.leader())").Run(t.Context(), schedule)
		t.Logf("%s\n%s", schedule, report)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range report.Steps {
			done[i] = append(done[i], d.Step.String())
		}
		if all, err := r.injector().List(t.Context()); err != nil || len(all) > 0 {
			t.Errorf("in force: %v, %v", all, err)
		}
	}
	if diff := cmp.Diff(done[0], done[1]); diff != "" || len(done[0]) != len(s.Steps) {
		t.Errorf("played %v: %s", done[0], diff)
	}
}
