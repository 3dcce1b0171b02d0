package health

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
)

// Conn is a distribution connection to a node. [erldist.Conn] is one.
type Conn interface {
	Call(ctx context.Context, module, function string, args ...any) (any, error)
	Eval(ctx context.Context, expressions string, bindings map[string]any) (any, error)
}

// Sample is what one node told of itself. What it could not tell is zero; a
// [Count] says so with Known.
type Sample struct {
	Time time.Time `json:"time"` // when it was asked, by our clock
	// Partial: it is all of [Glance], which tells the time, the round trip and the
	// applications. Of all else nothing is known.
	Partial bool `json:"partial,omitempty"`

	RoundTrip time.Duration `json:"round_trip"` // of a call that does nothing, in nanoseconds
	ClockSkew time.Duration `json:"clock_skew"` // its clock against ours, in nanoseconds
	OTP       string        `json:"otp,omitempty"`

	Visible []string `json:"visible,omitempty"` // whom it is connected to, by BEAM name
	Hidden  []string `json:"hidden,omitempty"`  // as hidden nodes, without tools like us
	Apps    []string `json:"apps,omitempty"`    // that are started

	Memory    map[string]int64 `json:"memory,omitempty"` // bytes by kind, of erlang:memory/0
	Processes Count            `json:"processes"`
	Ports     Count            `json:"ports"`
	Atoms     Count            `json:"atoms"`
	Tables    Count            `json:"tables"`    // of ETS
	Files     Count            `json:"files"`     // open file descriptors
	Container Count            `json:"container"` // memory in bytes, without what can be dropped; Limit 0: none

	RunQueue   int  `json:"run_queue"`  // processes and ports that wait for a scheduler
	Schedulers int  `json:"schedulers"` // online
	Load       Load `json:"load"`

	Encoding           string `json:"encoding,omitempty"` // of file names: utf8, latin1
	Heart              bool   `json:"heart"`              // heart restarts the VM by itself
	NetTick            int64  `json:"net_tick"`           // the kernel's net_ticktime, seconds
	PreventOverlapping bool   `json:"prevent_overlapping"`

	// Mnesia is its own view of its cluster; nil where it does not run.
	Mnesia *Mnesia `json:"mnesia,omitempty"`
	// GlobalLock is the lock under which global registers names, where somebody holds
	// it: for a moment while nodes come and go.
	GlobalLock *Lock `json:"global_lock,omitempty"`
	// Unsynced are connected nodes with which global has not agreed on names yet, with
	// the time of the first sample of which that was so.
	Unsynced map[string]time.Time `json:"unsynced,omitempty"`

	// Modules of the application and their MD5s in hexadecimal, "" where one
	// cannot be read. Nil: not asked for.
	Modules map[string]string `json:"-"`

	ticks ticks // at its end, for the next sample's load
}

// Count is how many of something there are, and may be.
type Count struct {
	Used  int64 `json:"used"`
	Limit int64 `json:"limit,omitempty"`
	Known bool  `json:"known"`
}

// Load is which part of its schedulers' time a node used: 1 is all of it.
type Load struct {
	Part  float64       `json:"part"`
	Known bool          `json:"known"`
	Over  time.Duration `json:"over"` // which time, in nanoseconds
}

// Steady is how long a load must have lasted to be too much. Over [OneOff] a
// garbage collection, or a check of the cluster's own, makes it 1 on a node that
// is idle.
const Steady = time.Second

// ticks are counters of a VM since its start: processor time and real time.
type ticks struct{ runtime, wall int64 } // milliseconds

// Ask says what a sample is to hold.
type Ask struct {
	// App is the OTP application, "" or "-" for none.
	App string
	// Modules: with the MD5s of its modules.
	Modules bool
	// Since is an earlier sample of the same run of the node: the load is of the
	// time since then. Nil: it is measured over Window.
	Since *Sample
	// Window for the load where there is no earlier sample; 0: it stays unknown.
	Window time.Duration
}

// OneOff is a window that is long enough for a figure, and too short to be
// waited for.
const OneOff = 20 * time.Millisecond

//go:embed sample.erl
var expression string

// Take asks a node for everything at once: one call for the round trip and the
// clock, one for all else. It needs no code on the node but OTP's own.
func Take(ctx context.Context, conn Conn, ask Ask) (Sample, error) {
	s, err := ping(ctx, conn)
	if err != nil {
		return Sample{}, err
	}
	window, since := ask.Window, ask.Since
	switch {
	case since == nil, since.ticks == (ticks{}), s.Time.Sub(since.Time) < OneOff:
		since = nil // over a shorter time a millisecond more or less is all of it
	default:
		window = 0
	}
	app := ask.App
	if app == "" {
		app = "-"
	}
	answer, err := conn.Eval(ctx, expression, map[string]any{
		"App": erldist.Atom(app), "Md5s": ask.Modules && app != "-", "Window": window.Milliseconds(),
	})
	if err != nil {
		return Sample{}, err
	}
	told, ok := answer.(erldist.Map)
	if !ok {
		return Sample{}, fmt.Errorf("unexpected answer %s", erldist.Format(answer))
	}
	s.read(told, since)
	s.carry(ask.Since)
	return s, nil
}

// Glance asks a node that boots only what its proof needs, in calls that are
// compiled on the node: Take has it load the interpreter first.
func Glance(ctx context.Context, conn Conn) (Sample, error) {
	s := Sample{Time: time.Now(), Partial: true}
	answer, err := conn.Call(ctx, "application", "which_applications")
	if err != nil {
		return Sample{}, err
	}
	s.RoundTrip = time.Since(s.Time)
	list, _ := answer.(erldist.List)
	for _, entry := range list { // {Name, Description, Version}
		if t, ok := entry.(erldist.Tuple); ok && len(t) == 3 {
			if name, ok := t[0].(erldist.Atom); ok {
				s.Apps = append(s.Apps, string(name))
			}
		}
	}
	return s, nil
}

func ping(ctx context.Context, conn Conn) (Sample, error) {
	s := Sample{Time: time.Now()}
	answer, err := conn.Call(ctx, "os", "system_time", erldist.Atom("nanosecond"))
	if err != nil {
		return Sample{}, err
	}
	s.RoundTrip = time.Since(s.Time)
	if clock, ok := answer.(int64); ok { // read half way, as far as we know
		s.ClockSkew = time.Unix(0, clock).Sub(s.Time.Add(s.RoundTrip / 2))
	}
	return s, nil
}
