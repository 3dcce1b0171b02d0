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

// Sample is a node's measurements of itself. A value that the node could not determine is
// zero; a [Count] then has Known false.
type Sample struct {
	Time time.Time `json:"time"` // when it was taken, by our clock
	// Partial means that the sample is from [Glance], which measures only the time, the
	// round trip and the applications.
	Partial bool `json:"partial,omitempty"`

	RoundTrip time.Duration `json:"round_trip"` // of an empty call, in nanoseconds
	ClockSkew time.Duration `json:"clock_skew"` // its clock compared with ours, in nanoseconds
	OTP       string        `json:"otp,omitempty"`

	Visible []string `json:"visible,omitempty"` // BEAM names of the connected visible nodes
	Hidden  []string `json:"hidden,omitempty"`  // BEAM names of the connected hidden nodes, without tools like us
	Apps    []string `json:"apps,omitempty"`    // started applications

	Memory    map[string]int64 `json:"memory,omitempty"` // bytes by type, from erlang:memory/0
	Processes Count            `json:"processes"`
	Ports     Count            `json:"ports"`
	Atoms     Count            `json:"atoms"`
	Tables    Count            `json:"tables"`    // ETS tables
	Files     Count            `json:"files"`     // open file descriptors
	Container Count            `json:"container"` // memory in bytes, without reclaimable memory; Limit 0: none

	RunQueue   int  `json:"run_queue"`  // processes and ports waiting for a scheduler
	Schedulers int  `json:"schedulers"` // online
	Load       Load `json:"load"`

	Encoding           string `json:"encoding,omitempty"`     // file name encoding: utf8, latin1
	Heart              bool   `json:"heart"`                  // heart is enabled, and restarts the VM by itself
	NetTick            int64  `json:"net_tick"`               // the kernel's net_ticktime, in seconds
	TickIntensity      int64  `json:"tick_intensity"`         // the kernel's net_tickintensity: ticks in that time
	AutoConnect        string `json:"auto_connect,omitempty"` // the kernel's dist_auto_connect, if set: never, once
	PreventOverlapping bool   `json:"prevent_overlapping"`    // global disconnects nodes, so that partitions do not overlap

	// Mnesia is the node's view of its Mnesia cluster; nil if Mnesia is not running.
	Mnesia *Mnesia `json:"mnesia,omitempty"`
	// GlobalLock is the lock under which global registers names, if a process holds it.
	// That is normal for a moment while nodes come and go.
	GlobalLock *Lock `json:"global_lock,omitempty"`
	// Syncs says that global keeps the same names as the connected nodes, and which of
	// these it has not synchronized with yet is known: see Unsynced.
	Syncs bool `json:"syncs"`
	// Unsynced are connected nodes that global has not synchronized names with yet, with
	// the time of the first sample that showed it.
	Unsynced map[string]time.Time `json:"unsynced,omitempty"`

	// Modules of the application and their MD5s in hexadecimal; "" if a module cannot be
	// read. Nil if not requested.
	Modules map[string]string `json:"-"`

	names map[globalName]time.Time // global's names of the node's own processes, with the first sample that had them
	ticks ticks                    // at its end, for the next sample's load
}

// Count is the current number of something, and its limit.
type Count struct {
	Used  int64 `json:"used"`
	Limit int64 `json:"limit,omitempty"`
	Known bool  `json:"known"`
}

// Load is the fraction of its schedulers' time that a node used: 1 is all of it.
type Load struct {
	Part  float64       `json:"part"`
	Known bool          `json:"known"`
	Over  time.Duration `json:"over"` // length of the measurement, in nanoseconds
}

// Steady is the shortest measurement whose load can count as too high. Over [OneOff], a
// garbage collection or one of the cluster's own checks gives a load of 1 on an idle
// node.
const Steady = time.Second

// ticks are counters of a VM since its start: processor time and real time.
type ticks struct{ runtime, wall int64 } // milliseconds

// Ask says what a sample must include.
type Ask struct {
	// App is the OTP application; "" or "-" for none.
	App string
	// Modules includes the MD5s of the application's modules.
	Modules bool
	// Since is an earlier sample of the same run of the node: the load is measured since
	// then. Nil: it is measured over Window.
	Since *Sample
	// Window is the time to measure the load over if Since is nil; 0: the load stays
	// unknown.
	Window time.Duration
}

// OneOff is a window that is long enough for a measurement, and short enough to wait for.
const OneOff = 20 * time.Millisecond

//go:embed sample.erl
var expression string

// Take samples a node with two calls: one for the round trip and the clock, one for
// everything else. It needs no code on the node except OTP's own.
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

// Glance samples only what the proof of a booting node needs, in calls that are compiled
// on the node. Take would make the node load the interpreter first.
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
