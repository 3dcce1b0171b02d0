package restart

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestPolicyDecides(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	crash := orchestrator.Exit{Class: orchestrator.ExitCrashed, Code: 1}
	recent := func(n int) (h History) {
		for i := range n {
			h.Recent = append(h.Recent, now.Add(-time.Duration(i)*time.Second))
		}
		h.Step, h.Total = n, n
		return h
	}
	tests := []struct {
		name   string
		policy orchestrator.RestartPolicy
		h      History
		exit   orchestrator.Exit
		want   Decision
	}{
		{"the first crash waits one second", orchestrator.RestartPolicy{}, History{}, crash, Decision{Restart: true, Delay: time.Second}},
		{"the delay doubles", orchestrator.RestartPolicy{}, recent(3), crash, Decision{Restart: true, Delay: 8 * time.Second}},
		{"the delay is capped", orchestrator.RestartPolicy{Max: 50}, recent(9), crash, Decision{Restart: true, Delay: 30 * time.Second}},
		{"five restarts use up the budget", orchestrator.RestartPolicy{}, recent(5), crash,
			Decision{Reason: "5 restarts within 10m0s are used up"}},
		{"a minute of Ready starts the delay over", orchestrator.RestartPolicy{},
			History{Step: 4, ReadyAt: now.Add(-time.Minute)}, crash, Decision{Restart: true, Delay: time.Second}},
		{"less than a minute does not", orchestrator.RestartPolicy{},
			History{Step: 4, ReadyAt: now.Add(-59 * time.Second)}, crash, Decision{Restart: true, Delay: 16 * time.Second}},
		{"a kill is a crash", orchestrator.RestartPolicy{}, History{}, orchestrator.Exit{Class: orchestrator.ExitKilled, Code: 137}, Decision{Restart: true, Delay: time.Second}},
		{"a stop of ours is final", orchestrator.RestartPolicy{Mode: orchestrator.RestartAlways}, History{}, orchestrator.Exit{Class: orchestrator.ExitStopped, Code: 137}, Decision{}},
		{"an outside stop is final", orchestrator.RestartPolicy{Mode: orchestrator.RestartAlways}, History{}, orchestrator.Exit{Class: orchestrator.ExitStoppedOutside}, Decision{}},
		{"success is final", orchestrator.RestartPolicy{}, History{}, orchestrator.Exit{Class: orchestrator.ExitCompleted}, Decision{}},
		{"except with mode always", orchestrator.RestartPolicy{Mode: orchestrator.RestartAlways}, History{}, orchestrator.Exit{Class: orchestrator.ExitCompleted}, Decision{Restart: true, Delay: time.Second}},
		{"mode no", orchestrator.RestartPolicy{Mode: orchestrator.RestartNo}, History{}, crash, Decision{Reason: `the restart policy is "no"`}},
		{"a start error is final", orchestrator.RestartPolicy{}, History{}, orchestrator.Exit{Class: orchestrator.ExitStartError},
			Decision{Reason: "it cannot be started, and trying again would not change that"}},
		{"a command that cannot run is final", orchestrator.RestartPolicy{}, History{}, orchestrator.Exit{Class: orchestrator.ExitBoot, Code: 127},
			Decision{Reason: "exit 127 says that the command itself cannot run"}},
		{"the same boot slogan twice is final", orchestrator.RestartPolicy{}, History{Slogan: "no such app"}, orchestrator.Exit{Class: orchestrator.ExitBoot, Code: 1, Reason: "no such app"},
			Decision{Reason: "it failed to boot twice with the same message"}},
		{"another slogan is not", orchestrator.RestartPolicy{}, History{Slogan: "no such app"}, orchestrator.Exit{Class: orchestrator.ExitBoot, Code: 1, Reason: "eaddrinuse"},
			Decision{Restart: true, Delay: time.Second}},
	}
	tests = append(tests, []struct {
		name   string
		policy orchestrator.RestartPolicy
		h      History
		exit   orchestrator.Exit
		want   Decision
	}{
		{"what time can cure is tried again, whatever it said before", orchestrator.RestartPolicy{}, History{Slogan: "x", Waits: 2, Step: 2},
			orchestrator.Exit{Class: orchestrator.ExitBoot, Code: 1, Reason: "x", WaitsFor: "db:5432: connection refused"}, Decision{Restart: true, Delay: 4 * time.Second}},
		{"but not beyond the budget", orchestrator.RestartPolicy{}, recent(5), orchestrator.Exit{Class: orchestrator.ExitBoot, Code: 1, WaitsFor: "db:5432: connection refused"},
			Decision{Reason: "5 restarts within 10m0s are used up"}},
		{"nor where nothing is restarted", orchestrator.RestartPolicy{Mode: orchestrator.RestartNo}, History{}, orchestrator.Exit{Class: orchestrator.ExitBoot, Code: 1, WaitsFor: "db:5432: connection refused"},
			Decision{Reason: `the restart policy is "no"`}},
	}...)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := Decide(orchestrator.Spec{Restart: tt.policy}.Defaulted().Restart, tt.h, tt.exit, now, 0)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(Decision{})); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

// For any sequence of crashes, the budget holds in every window, each delay is between
// Backoff and MaxBackoff plus jitter, and the lifetime counter counts every restart.
func TestPolicyKeepsItsBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := orchestrator.Spec{Restart: orchestrator.RestartPolicy{Max: rapid.IntRange(1, 6).Draw(t, "max")}}.Defaulted().Restart
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var h History
		var restarts []time.Time
		for range rapid.IntRange(1, 60).Draw(t, "crashes") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(15*time.Minute)).Draw(t, "pause")))
			if rapid.Bool().Draw(t, "ready") {
				h.ReadyAt = now.Add(-time.Duration(rapid.Int64Range(0, int64(2*time.Minute)).Draw(t, "up")))
			}
			d, next := Decide(p, h, orchestrator.Exit{Class: orchestrator.ExitCrashed, Code: 1}, now, rapid.Float64Range(0, 0.999).Draw(t, "jitter"))
			h = next
			if !d.Restart {
				if d.Reason == "" {
					t.Fatal("given up without a reason")
				}
				continue
			}
			restarts = append(restarts, now)
			if d.Delay < p.Backoff || float64(d.Delay) > float64(p.MaxBackoff)*(1+p.Jitter) {
				t.Fatalf("delay %s", d.Delay)
			}
		}
		for i, at := range restarts {
			if i >= p.Max && at.Sub(restarts[i-p.Max]) < p.Window {
				t.Fatalf("%d restarts within %s", p.Max+1, at.Sub(restarts[i-p.Max]))
			}
		}
		if h.Total != len(restarts) {
			t.Fatalf("lifetime counter %d, want %d", h.Total, len(restarts))
		}
	})
}
