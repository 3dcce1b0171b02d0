package chaos

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
)

var names = []string{"n1", "n2", "n3", "n4", "n5"}

// The same seed gives the same schedule, also with another version of this program.
func TestPlanIsGolden(t *testing.T) {
	for file, s := range map[string]Schedule{
		"seed7.txt":      Plan(Options{Seed: 7}, names[:3]),
		"all_kinds.txt":  Plan(Options{Seed: 42, For: 2 * time.Minute, Every: 5 * time.Second, Kinds: Kinds}, names),
		"after_heal.txt": Plan(Options{Seed: 1, AfterHeal: 50 * time.Millisecond}, names[:3]),
	} {
		path := "testdata/" + file
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(path, []byte(s.String()), 0o644); err != nil { // a golden file
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), s.String()); diff != "" {
			t.Errorf("%s: schedules that were told by their seed are others now; UPDATE=1 writes them: %s", file, diff)
		}
	}
}

// A plan keeps its rules, whatever the seed.
func TestPlanKeepsItsRules(t *testing.T) {
	for seed := range uint64(300) {
		o := Options{Seed: seed, For: 10 * time.Minute, Kinds: Kinds, Kills: 2, Window: 3 * time.Minute}
		if seed%2 == 0 {
			o.AfterHeal = 50 * time.Millisecond
		}
		nodes := names[:1+seed%5]
		s := Plan(o, nodes)
		if err := s.Validate(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		end := time.Duration(0)
		kills := map[string][]time.Duration{}
		seen := map[Kind]int{}
		for i, step := range s.Steps {
			seen[step.Kind]++
			if step.At < end {
				t.Errorf("seed %d: %s begins at %s, before %s", seed, step, step.At, end)
			}
			if end = step.At + step.Lasts; end > o.For {
				t.Errorf("seed %d: %s ends after the schedule", seed, step)
			}
			if step.After > 0 && step.At != s.Steps[i-1].At+s.Steps[i-1].Lasts+step.After {
				t.Errorf("seed %d: %s is planned at %s", seed, step, step.At)
			}
			if len(step.Nodes) > max(1, (len(nodes)-1)/2) {
				t.Errorf("seed %d: %s is more than a minority of %d", seed, step, len(nodes))
			}
			if step.Kind != Kill {
				continue
			}
			for _, n := range step.Nodes {
				kills[n] = append(kills[n], step.At)
				if k := kills[n]; len(k) > 2 && k[len(k)-1]-k[len(k)-3] < o.Window {
					t.Errorf("seed %d: %s is killed at %v", seed, n, k)
				}
			}
		}
		for _, k := range Kinds {
			if possible := len(nodes) > 1 || k.onNodes(); possible && seen[k] == 0 || !possible && seen[k] > 0 {
				t.Errorf("seed %d: %s comes %d times to %d nodes", seed, k, seen[k], len(nodes))
			}
		}
	}
}

func TestPlanDependsOnTheSeed(t *testing.T) {
	if Plan(Options{Seed: 1}, names).String() == Plan(Options{Seed: 2}, names).String() {
		t.Error("two seeds have one schedule")
	}
}

// Planning ends even if no fault is possible.
func TestPlanWithoutAnything(t *testing.T) {
	for _, s := range []Schedule{
		Plan(Options{Kinds: []Kind{Partition}}, names[:1]),
		Plan(Options{Kinds: []Kind{Kill}, Kills: -1}, names),
		Plan(Options{For: time.Millisecond}, names),
	} {
		if len(s.Steps) > 0 {
			t.Errorf("%s", s)
		}
	}
}

// A schedule survives its file, and a broken file is refused.
func TestScheduleIsRead(t *testing.T) {
	s := Plan(Options{Seed: 3, Kinds: Kinds, AfterHeal: time.Second}, names)
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, got); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		`{`:                             "read the schedule: ",
		`{}`:                            "has no nodes",
		`{"nodes":["n1"],"steps":[{}]}`: "step 1, : unknown kind",
		`{"nodes":["n1"],"steps":[{"kind":"kill"}]}`:                                                      "it names no node",
		`{"nodes":["n1"],"steps":[{"kind":"kill","nodes":["n2"]}]}`:                                       `unknown node "n2"`,
		`{"nodes":["n1"],"steps":[{"kind":"kill","nodes":["n1"],"at":2},{"kind":"kill","nodes":["n1"]}]}`: "step 2, kill: it begins before",
		`{"nodes":["n1"],"steps":[{"kind":"kill","nodes":["n1"],"lasts":-1}]}`:                            "its times are impossible",
		`{"nodes":["n1","n2"],"steps":[{"kind":"partition"}]}`:                                            "unknown kind of fault",
	} {
		if _, err := Read([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestPolicyOf(t *testing.T) {
	for _, tc := range []struct {
		policy orchestrator.RestartPolicy
		failed orchestrator.FailedMode
		kills  int
	}{
		{orchestrator.RestartPolicy{}, "", 5},
		{orchestrator.RestartPolicy{Max: 2}, orchestrator.FailedStopCluster, 2},
		{orchestrator.RestartPolicy{Mode: orchestrator.RestartNo}, "", unlimited},
		{orchestrator.RestartPolicy{Mode: orchestrator.RestartNo}, orchestrator.FailedStopCluster, -1},
	} {
		kills, window := PolicyOf(orchestrator.Spec{Restart: tc.policy, OnFailed: tc.failed})
		if kills != tc.kills || window != 10*time.Minute {
			t.Errorf("%+v, %q: %d in %s, want %d", tc.policy, tc.failed, kills, window, tc.kills)
		}
	}
	if !slices.Contains(Kinds, DefaultKinds[0]) {
		t.Error("unknown default")
	}
}
