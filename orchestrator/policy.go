package orchestrator

import (
	"time"
)

// RestartMode says after which ends a node is restarted.
type RestartMode string

// The modes, as in Docker and systemd.
const (
	RestartOnFailure RestartMode = "on-failure" // after every end except success and a requested stop (default)
	RestartAlways    RestartMode = "always"     // also after success
	RestartNo        RestartMode = "no"         // never; the default of tests
)

// RestartPolicy says when a node that ended is started again. The zero value is the
// default policy. A requested stop is never followed by a restart, in any mode, and a
// requested restart does not count against the budget.
//
// The budget is a sliding window, as in OTP's supervisors. OTP's design principles call
// an intensity of 5 over an hour wrong (a burst of five uses it up, and one more crash
// much later ends the node) and a window of five to ten minutes reasonable.
type RestartPolicy struct {
	// Mode of the policy: on-failure restarts a node that crashed; always also restarts
	// one that exited with success; no restarts none. Default on-failure.
	Mode RestartMode `json:"mode,omitempty"`
	// Backoff is the delay before the first restart. It doubles with each restart up to
	// MaxBackoff. Default 1s.
	Backoff time.Duration `json:"backoff,omitempty"`
	// MaxBackoff is the longest delay. Default 30s.
	MaxBackoff time.Duration `json:"max_backoff,omitempty"`
	// Jitter is the largest random addition to the delay, as a fraction of it, so that
	// nodes that ended together do not start together; negative for none. Default 0.1.
	Jitter float64 `json:"jitter,omitempty"`
	// Max is the maximum number of restarts within Window. The crash after that is final.
	// Default 5.
	Max int `json:"max,omitempty" file:",min=0"`
	// Window is the sliding window in which restarts are counted. Default 10m.
	Window time.Duration `json:"window,omitempty"`
	// ResetAfter is how long a node must have been Ready before its delay is reset to
	// Backoff. Default 1m.
	ResetAfter time.Duration `json:"reset_after,omitempty"`
	// SuccessCodes are exit codes that count as success, in addition to 0.
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
