package supervisor

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
	recent := func(n int) (h history) {
		for i := range n {
			h.recent = append(h.recent, now.Add(-time.Duration(i)*time.Second))
		}
		h.step, h.total = n, n
		return h
	}
	tests := []struct {
		name   string
		policy orchestrator.RestartPolicy
		h      history
		exit   orchestrator.Exit
		want   decision
	}{
		{"the first crash waits one second", orchestrator.RestartPolicy{}, history{}, crash, decision{restart: true, delay: time.Second}},
		{"the delay doubles", orchestrator.RestartPolicy{}, recent(3), crash, decision{restart: true, delay: 8 * time.Second}},
		{"the delay is capped", orchestrator.RestartPolicy{Max: 50}, recent(9), crash, decision{restart: true, delay: 30 * time.Second}},
		{"five restarts use up the budget", orchestrator.RestartPolicy{}, recent(5), crash,
			decision{reason: "5 restarts within 10m0s are used up"}},
		{"a minute of Ready starts the delay over", orchestrator.RestartPolicy{},
			history{step: 4, readyAt: now.Add(-time.Minute)}, crash, decision{restart: true, delay: time.Second}},
		{"less than a minute does not", orchestrator.RestartPolicy{},
			history{step: 4, readyAt: now.Add(-59 * time.Second)}, crash, decision{restart: true, delay: 16 * time.Second}},
		{"a kill is a crash", orchestrator.RestartPolicy{}, history{}, orchestrator.Exit{Class: orchestrator.ExitKilled, Code: 137}, decision{restart: true, delay: time.Second}},
		{"a stop of ours is final", orchestrator.RestartPolicy{Mode: orchestrator.RestartAlways}, history{}, orchestrator.Exit{Class: orchestrator.ExitStopped, Code: 137}, decision{}},
		{"an outside stop is final", orchestrator.RestartPolicy{Mode: orchestrator.RestartAlways}, history{}, orchestrator.Exit{Class: orchestrator.ExitStoppedOutside}, decision{}},
		{"success is final", orchestrator.RestartPolicy{}, history{}, orchestrator.Exit{Class: orchestrator.ExitCompleted}, decision{}},
		{"except with mode always", orchestrator.RestartPolicy{Mode: orchestrator.RestartAlways}, history{}, orchestrator.Exit{Class: orchestrator.ExitCompleted}, decision{restart: true, delay: time.Second}},
		{"mode no", orchestrator.RestartPolicy{Mode: orchestrator.RestartNo}, history{}, crash, decision{reason: `the restart policy is "no"`}},
		{"a start error is final", orchestrator.RestartPolicy{}, history{}, orchestrator.Exit{Class: orchestrator.ExitStartError},
			decision{reason: "it cannot be started, and trying again would not change that"}},
		{"a command that cannot run is final", orchestrator.RestartPolicy{}, history{}, orchestrator.Exit{Class: orchestrator.ExitBoot, Code: 127},
			decision{reason: "exit 127 says that the command itself cannot run"}},
		{"the same boot slogan twice is final", orchestrator.RestartPolicy{}, history{slogan: "no such app"}, orchestrator.Exit{Class: orchestrator.ExitBoot, Code: 1, Reason: "no such app"},
			decision{reason: "it failed to boot twice with the same message"}},
		{"another slogan is not", orchestrator.RestartPolicy{}, history{slogan: "no such app"}, orchestrator.Exit{Class: orchestrator.ExitBoot, Code: 1, Reason: "eaddrinuse"},
			decision{restart: true, delay: time.Second}},
	}
	tests = append(tests, []struct {
		name   string
		policy orchestrator.RestartPolicy
		h      history
		exit   orchestrator.Exit
		want   decision
	}{
		{"what time can cure is tried again, whatever it said before", orchestrator.RestartPolicy{}, history{slogan: "x", waits: 2, step: 2},
			orchestrator.Exit{Class: orchestrator.ExitBoot, Code: 1, Reason: "x", WaitsFor: "db:5432: connection refused"}, decision{restart: true, delay: 4 * time.Second}},
		{"but not beyond the budget", orchestrator.RestartPolicy{}, recent(5), orchestrator.Exit{Class: orchestrator.ExitBoot, Code: 1, WaitsFor: "db:5432: connection refused"},
			decision{reason: "5 restarts within 10m0s are used up"}},
		{"nor where nothing is restarted", orchestrator.RestartPolicy{Mode: orchestrator.RestartNo}, history{}, orchestrator.Exit{Class: orchestrator.ExitBoot, Code: 1, WaitsFor: "db:5432: connection refused"},
			decision{reason: `the restart policy is "no"`}},
	}...)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := decide(orchestrator.Spec{Restart: tt.policy}.Defaulted().Restart, tt.h, tt.exit, now, 0)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(decision{})); diff != "" {
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
		var h history
		var restarts []time.Time
		for range rapid.IntRange(1, 60).Draw(t, "crashes") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(15*time.Minute)).Draw(t, "pause")))
			if rapid.Bool().Draw(t, "ready") {
				h.readyAt = now.Add(-time.Duration(rapid.Int64Range(0, int64(2*time.Minute)).Draw(t, "up")))
			}
			d, next := decide(p, h, orchestrator.Exit{Class: orchestrator.ExitCrashed, Code: 1}, now, rapid.Float64Range(0, 0.999).Draw(t, "jitter"))
			h = next
			if !d.restart {
				if d.reason == "" {
					t.Fatal("given up without a reason")
				}
				continue
			}
			restarts = append(restarts, now)
			if d.delay < p.Backoff || float64(d.delay) > float64(p.MaxBackoff)*(1+p.Jitter) {
				t.Fatalf("delay %s", d.delay)
			}
		}
		for i, at := range restarts {
			if i >= p.Max && at.Sub(restarts[i-p.Max]) < p.Window {
				t.Fatalf("%d restarts within %s", p.Max+1, at.Sub(restarts[i-p.Max]))
			}
		}
		if h.total != len(restarts) {
			t.Fatalf("lifetime counter %d, want %d", h.total, len(restarts))
		}
	})
}
