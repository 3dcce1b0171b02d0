package supervisor

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/english"
)

// isSuccess reports whether the policy counts the exit code as success.
func isSuccess(p orchestrator.RestartPolicy, code int) bool {
	return code == 0 || slices.Contains(p.SuccessCodes, code)
}

// passing matches the parts of a message that differ between runs: pids, references,
// ports and the time.
var passing = regexp.MustCompile(`<[0-9.]+>|\d\d:\d\d:\d\d(\.\d+)?|\d{4}-\d\d-\d\d`)

// history is the restart policy's memory of one node.
type history struct {
	step    int         // the exponent of the next delay
	recent  []time.Time // restarts inside the window
	total   int         // restarts in total; never reset
	slogan  string      // of the last boot failure; "" after a run that was Ready
	waits   int         // consecutive boots that failed because something was missing; see Exit.WaitsFor
	waitsOn string      // what the last of them lacked
	readyAt time.Time   // when this run became Ready; zero if it never did
}

// decision is the policy's decision after an exit.
type decision struct {
	restart bool
	delay   time.Duration
	reason  string // why there is no restart, in one line; "" if the exit itself explains it
}

// decide is pure. It takes the exit, the history, the time and one random number in
// [0,1), and returns the decision and the new history.
func decide(p orchestrator.RestartPolicy, h history, e orchestrator.Exit, now time.Time, random float64) (decision, history) {
	ready := !h.readyAt.IsZero()
	if ready && now.Sub(h.readyAt) >= p.ResetAfter {
		h.step = 0
	}
	lastSlogan := h.slogan
	h.slogan = ""
	wait := e.Class == orchestrator.ExitBoot && !ready && e.WaitsFor != ""
	switch {
	case wait: // time may fix it: the budget and the deadline bound it
		h.waits++
	case e.Class == orchestrator.ExitBoot && !ready:
		h.slogan = passing.ReplaceAllString(e.Reason, "_")
	}
	if !wait {
		h.waits = 0
	}
	h.waitsOn = e.WaitsFor
	h.readyAt = time.Time{}

	switch e.Class {
	case orchestrator.ExitStopped, orchestrator.ExitStoppedOutside, orchestrator.ExitRemoved:
		return decision{}, h
	case orchestrator.ExitStartError:
		return decision{reason: "it cannot be started, and trying again would not change that"}, h
	case orchestrator.ExitCompleted:
		if p.Mode != orchestrator.RestartAlways {
			return decision{}, h
		}
	case orchestrator.ExitCrashed, orchestrator.ExitKilled, orchestrator.ExitOOM, orchestrator.ExitBoot:
		if e.Code >= 125 && e.Code <= 127 {
			return decision{reason: fmt.Sprintf("exit %d says that the command itself cannot run", e.Code)}, h
		}
	}
	if p.Mode == orchestrator.RestartNo {
		return decision{reason: "the restart policy is \"no\""}, h
	}
	if h.slogan != "" && h.slogan == lastSlogan {
		return decision{reason: "it failed to boot twice with the same message"}, h
	}

	h.recent = slices.DeleteFunc(slices.Clone(h.recent), func(t time.Time) bool { return now.Sub(t) >= p.Window })
	if len(h.recent) >= p.Max {
		return decision{reason: fmt.Sprintf("%d restarts within %s are used up", p.Max, p.Window)}, h
	}
	delay := backoffDelay(p, h.step)
	if p.Jitter > 0 {
		delay += time.Duration(float64(delay) * p.Jitter * random)
	}
	h.step++
	h.recent = append(h.recent, now)
	h.total++
	return decision{restart: true, delay: delay}, h
}

// waiting describes what a node waits for: "waits for db:5432: connection refused, 4
// tries".
func (h history) waiting() string {
	return fmt.Sprintf("waits for %s, %s", h.waitsOn, english.Plural(h.waits, "try", "tries"))
}

// backoffDelay returns Backoff × 2^step, at most MaxBackoff.
func backoffDelay(p orchestrator.RestartPolicy, step int) time.Duration {
	d := p.Backoff
	for range step {
		if d >= p.MaxBackoff {
			break
		}
		d *= 2
	}
	return min(d, p.MaxBackoff)
}
