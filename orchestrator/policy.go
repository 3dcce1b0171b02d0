package orchestrator

import (
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
