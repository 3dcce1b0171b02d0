package restart

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

// Classify returns the class of an end that was not requested, from the engine's reports and the
// code: whether this run was ever Ready, whether an `oom` event was reported, and whether a signal
// was sent from outside.
func Classify(p orchestrator.RestartPolicy, e orchestrator.Exit, wasReady, oom, signalled bool) orchestrator.ExitClass {
	switch {
	case e.Class != "": // known already: stopped outside, removed, oom
		return e.Class
	case oom && e.Code == orchestrator.CodeKilled:
		return orchestrator.ExitOOM // an oom event without a death of the VM means that a child was killed
	case e.Code == orchestrator.CodeKilled, e.Code > 128 && signalled:
		return orchestrator.ExitKilled
	case isSuccess(p, e.Code):
		return orchestrator.ExitCompleted
	case !wasReady:
		return orchestrator.ExitBoot
	}
	return orchestrator.ExitCrashed
}

// passing matches the parts of a message that differ between runs: pids, references,
// ports and the time.
var passing = regexp.MustCompile(`<[0-9.]+>|\d\d:\d\d:\d\d(\.\d+)?|\d{4}-\d\d-\d\d`)

// History is the restart policy's memory of one node.
type History struct {
	Step    int         // the exponent of the next delay
	Recent  []time.Time // restarts inside the window
	Total   int         // restarts in total; never reset
	Slogan  string      // of the last boot failure; "" after a run that was Ready
	Waits   int         // consecutive boots that failed because something was missing; see Exit.WaitsFor
	WaitsOn string      // what the last of them lacked
	ReadyAt time.Time   // when this run became Ready; zero if it never did
}

// Within returns the restarts inside the window.
func (h History) Within(window time.Duration, now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(h.Recent), func(t time.Time) bool { return now.Sub(t) >= window })
}

// Decision is the policy's decision after an exit.
type Decision struct {
	Restart bool
	Delay   time.Duration
	Reason  string // why there is no restart, in one line; "" if the exit itself explains it
}

// Decide is pure. It takes the exit, the history, the time and one random number in
// [0,1), and returns the decision and the new history.
func Decide(p orchestrator.RestartPolicy, h History, e orchestrator.Exit, now time.Time, random float64) (Decision, History) {
	ready := !h.ReadyAt.IsZero()
	if ready && now.Sub(h.ReadyAt) >= p.ResetAfter {
		h.Step = 0
	}
	lastSlogan := h.Slogan
	h.Slogan = ""
	wait := e.Class == orchestrator.ExitBoot && !ready && e.WaitsFor != ""
	switch {
	case wait: // time may fix it: the budget and the deadline bound it
		h.Waits++
	case e.Class == orchestrator.ExitBoot && !ready:
		h.Slogan = passing.ReplaceAllString(e.Reason, "_")
	}
	if !wait {
		h.Waits = 0
	}
	h.WaitsOn = e.WaitsFor
	h.ReadyAt = time.Time{}

	switch e.Class {
	case orchestrator.ExitStopped, orchestrator.ExitStoppedOutside, orchestrator.ExitRemoved:
		return Decision{}, h
	case orchestrator.ExitStartError:
		return Decision{Reason: "it cannot be started, and trying again would not change that"}, h
	case orchestrator.ExitCompleted:
		if p.Mode != orchestrator.RestartAlways {
			return Decision{}, h
		}
	case orchestrator.ExitCrashed, orchestrator.ExitKilled, orchestrator.ExitOOM, orchestrator.ExitBoot:
		if e.Code >= 125 && e.Code <= 127 {
			return Decision{Reason: fmt.Sprintf("exit %d says that the command itself cannot run", e.Code)}, h
		}
	}
	if p.Mode == orchestrator.RestartNo {
		return Decision{Reason: "the restart policy is \"no\""}, h
	}
	if h.Slogan != "" && h.Slogan == lastSlogan {
		return Decision{Reason: "it failed to boot twice with the same message"}, h
	}

	h.Recent = h.Within(p.Window, now)
	if len(h.Recent) >= p.Max {
		return Decision{Reason: fmt.Sprintf("%d restarts within %s are used up", p.Max, p.Window)}, h
	}
	delay := backoffDelay(p, h.Step)
	if p.Jitter > 0 {
		delay += time.Duration(float64(delay) * p.Jitter * random)
	}
	h.Step++
	h.Recent = append(h.Recent, now)
	h.Total++
	return Decision{Restart: true, Delay: delay}, h
}

// Waiting describes what a node waits for: "waits for db:5432: connection refused, 4
// tries".
func (h History) Waiting() string {
	return fmt.Sprintf("waits for %s, %s", h.WaitsOn, english.Plural(h.Waits, "try", "tries"))
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
