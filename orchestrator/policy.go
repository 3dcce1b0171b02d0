package orchestrator

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// RestartMode says which ends are followed by a restart.
type RestartMode string

// The modes, as in Docker and systemd.
const (
	RestartOnFailure RestartMode = "on-failure" // every end but success and an asked-for stop (default)
	RestartAlways    RestartMode = "always"     // also after success
	RestartNo        RestartMode = "no"         // never; the default of tests
)

// RestartPolicy says when a node that ended is started again. The zero value
// is the default policy. A stop that somebody asked for is never followed by a
// restart, whatever the mode, and an intended restart costs no budget.
//
// The budget is a sliding window, as OTP's supervisors have it; OTP's own
// design principles call an intensity of 5 over an hour wrong (a burst of five
// uses it up, one more crash much later ends the node) and a window of five to
// ten minutes reasonable.
type RestartPolicy struct {
	// Mode, default on-failure.
	Mode RestartMode `json:"mode,omitempty"`
	// Backoff before the first restart; default 1 s. It doubles with each
	// restart up to MaxBackoff.
	Backoff time.Duration `json:"backoff,omitempty"`
	// MaxBackoff caps the delay; default 30 s.
	MaxBackoff time.Duration `json:"max_backoff,omitempty"`
	// Jitter is the largest part of the delay that is added at random, so that
	// nodes that died together do not start together; default 0.1. Negative: none.
	Jitter float64 `json:"jitter,omitempty"`
	// Max restarts within Window; default 5. The next crash is final.
	Max int `json:"max,omitempty"`
	// Window of the budget; default 10 min.
	Window time.Duration `json:"window,omitempty"`
	// ResetAfter is how long a node must have been Ready for its delay to start
	// over at Backoff; default 60 s.
	ResetAfter time.Duration `json:"reset_after,omitempty"`
	// SuccessCodes count as success beside 0.
	SuccessCodes []int `json:"success_codes,omitempty"`
}

func (p RestartPolicy) withDefaults() RestartPolicy {
	if p.Mode == "" {
		p.Mode = RestartOnFailure
	}
	setDefault(&p.Backoff, time.Second)
	setDefault(&p.MaxBackoff, 30*time.Second)
	setDefault(&p.Jitter, 0.1)
	setDefault(&p.Max, 5)
	setDefault(&p.Window, 10*time.Minute)
	setDefault(&p.ResetAfter, time.Minute)
	return p
}

// success reports whether the exit code is one that the policy calls success.
func (p RestartPolicy) success(code int) bool {
	return code == 0 || slices.Contains(p.SuccessCodes, code)
}

// passing is what differs in a message from run to run: pids, references,
// ports and the time.
var passing = regexp.MustCompile(`<[0-9.]+>|\d\d:\d\d:\d\d(\.\d+)?|\d{4}-\d\d-\d\d`)

// history is what the policy remembers of one node.
type history struct {
	step    int         // the exponent of the next delay
	recent  []time.Time // restarts inside the window
	total   int         // restarts ever; never reset
	slogan  string      // of the last boot failure, "" after a run that was Ready
	waits   int         // boots in a row that failed for want of something; see Exit.WaitsFor
	waitsOn string      // for which the last of them did
	readyAt time.Time   // when this run became Ready; zero if it never did
}

// decision is what the policy says after an exit.
type decision struct {
	restart bool
	delay   time.Duration
	reason  string // why not, in one line; "" where a plain look at the exit tells
}

// decide is pure: the exit, the history, the time and one random number in
// [0,1) go in; the decision and the new history come out.
func (p RestartPolicy) decide(h history, e Exit, now time.Time, random float64) (decision, history) {
	ready := !h.readyAt.IsZero()
	if ready && now.Sub(h.readyAt) >= p.ResetAfter {
		h.step = 0
	}
	lastSlogan := h.slogan
	h.slogan = ""
	wait := e.Class == ExitBoot && !ready && e.WaitsFor != ""
	switch {
	case wait: // time may cure it: the budget and the deadline end it
		h.waits++
	case e.Class == ExitBoot && !ready:
		h.slogan = passing.ReplaceAllString(e.Reason, "_")
	}
	if !wait {
		h.waits = 0
	}
	h.waitsOn = e.WaitsFor
	h.readyAt = time.Time{}

	switch e.Class {
	case ExitStopped, ExitStoppedOutside, ExitRemoved:
		return decision{}, h
	case ExitStartError:
		return decision{reason: "it cannot be started, and trying again would not change that"}, h
	case ExitCompleted:
		if p.Mode != RestartAlways {
			return decision{}, h
		}
	case ExitCrashed, ExitKilled, ExitOOM, ExitBoot:
		if e.Code >= 125 && e.Code <= 127 {
			return decision{reason: fmt.Sprintf("exit %d says that the command itself cannot run", e.Code)}, h
		}
	}
	if p.Mode == RestartNo {
		return decision{reason: "the restart policy is \"no\""}, h
	}
	if h.slogan != "" && h.slogan == lastSlogan {
		return decision{reason: "it failed to boot twice with the same message"}, h
	}

	h.recent = slices.DeleteFunc(slices.Clone(h.recent), func(t time.Time) bool { return now.Sub(t) >= p.Window })
	if len(h.recent) >= p.Max {
		return decision{reason: fmt.Sprintf("%d restarts within %s are used up", p.Max, p.Window)}, h
	}
	delay := p.backoff(h.step)
	if p.Jitter > 0 {
		delay += time.Duration(float64(delay) * p.Jitter * random)
	}
	h.step++
	h.recent = append(h.recent, now)
	h.total++
	return decision{restart: true, delay: delay}, h
}

// backoff is Backoff × 2^step, at most MaxBackoff.
func (p RestartPolicy) backoff(step int) time.Duration {
	d := p.Backoff
	for range step {
		if d >= p.MaxBackoff {
			break
		}
		d *= 2
	}
	return min(d, p.MaxBackoff)
}

// setDefault fills a zero value.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
