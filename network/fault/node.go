package fault

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file has the faults of single nodes: their names, clocks and limits.

// DNS is how nodes resolve the names of their peers, and the name that stands for all nodes. All
// other names resolve as before, a node's own included.
type DNS struct {
	Answers Answers `json:"answers"`
	// Peers that the answers are about. None: all.
	Peers []string `json:"peers,omitempty"`
}

// Answers says what is wrong with answers about a peer.
type Answers string

// The answers.
const (
	NoAnswers    Answers = "none"  // there is no such name; the name of all nodes lacks the peer
	StaleAnswers Answers = "stale" // an address at which nothing answers, like that of a peer's container which is gone
)

// Clock is how a wall clock differs from the right one. All parts add up. Monotonic time, and so
// timers and ticks, are right.
type Clock struct {
	// Bump is added from the beginning.
	Bump time.Duration `json:"bump,omitempty"`
	// Drift is the seconds that pass on the clock in one second. 0 is 1.
	Drift float64 `json:"drift,omitempty"`
	// Strobe is added in every other second.
	Strobe time.Duration `json:"strobe,omitempty"`
}

// Offset returns what a clock shows beyond the right time, this long after the fault began.
func (c Clock) Offset(elapsed time.Duration) time.Duration {
	offset := c.Bump
	if c.Drift != 0 {
		offset += time.Duration((c.Drift - 1) * float64(elapsed))
	}
	if elapsed/time.Second%2 == 0 {
		offset += c.Strobe
	}
	return offset
}

// Changes reports whether the offset changes with time.
func (c Clock) Changes() bool { return c.Strobe != 0 || c.Drift != 0 && c.Drift != 1 }

// Limits are what a squeezed node may use. Zero fields leave it as it is.
type Limits struct {
	Memory int64   `json:"memory,omitempty"` // bytes
	CPUs   float64 `json:"cpus,omitempty"`
	// Full are folders whose file system is full: ones in memory, with a size.
	Full []string `json:"full,omitempty"`
}

// Bounds of faults of nodes.
const (
	MinMemory = 6 << 20 // bytes; the engine's own bound
	MinCPUs   = 0.01
	MaxBump   = 10 * 365 * 24 * time.Hour
)

func (f Fault) validateNodes() error {
	switch {
	case f.How != "" || f.Hard || len(f.Groups) > 0 || len(f.Pairs) > 0 || f.Quality != Quality{}:
		return fmt.Errorf("a %s fault cuts nothing, and changes no links", f.Kind)
	case len(f.Nodes) == 0:
		return fmt.Errorf("a %s fault needs a node", f.Kind)
	case len(slices.Compact(slices.Sorted(slices.Values(f.Nodes)))) < len(f.Nodes):
		return errors.New("a node is named twice")
	}
	switch f.Kind {
	case KindDNS:
		if f.DNS.Answers != NoAnswers && f.DNS.Answers != StaleAnswers {
			return fmt.Errorf("unknown answers %q: use %s or %s", f.DNS.Answers, NoAnswers, StaleAnswers)
		}
	case KindClock:
		return f.Clock.validate()
	case KindSqueeze:
		return f.Limits.validate()
	case KindPartition, KindCut, KindLink:
	}
	return nil
}

func (c Clock) validate() error {
	switch {
	case c == Clock{} || c == Clock{Drift: 1}:
		return errors.New("a clock fault needs a bump, a drift other than 1, or a strobe")
	case c.Bump.Abs() > MaxBump || c.Strobe.Abs() > MaxBump:
		return fmt.Errorf("the clock may be wrong by %d days at most", MaxBump/(24*time.Hour))
	case c.Drift != 0 && !(c.Drift >= 0.1 && c.Drift <= 10): // NaN too
		return fmt.Errorf("drift %v: must be from 0.1 to 10 seconds per second", c.Drift)
	}
	return nil
}

func (l Limits) validate() error {
	switch {
	case l.Memory == 0 && l.CPUs == 0 && len(l.Full) == 0:
		return errors.New("nothing is limited: a squeeze needs memory, CPUs or a folder")
	case l.Memory != 0 && l.Memory < MinMemory:
		return fmt.Errorf("memory %d: must be at least %d bytes", l.Memory, MinMemory)
	case l.CPUs != 0 && !(l.CPUs >= MinCPUs): // NaN too
		return fmt.Errorf("cpus %v: must be at least %v", l.CPUs, MinCPUs)
	}
	for _, p := range l.Full {
		if !path.IsAbs(p) || path.Clean(p) == "/" {
			return fmt.Errorf("%q is not an absolute path of a folder in the container", p)
		}
	}
	return nil
}

// nodesText describes a fault of nodes, without the ID and times.
func (f Fault) nodesText() string {
	words := []string{string(f.Kind) + " " + strings.Join(f.Nodes, " ")}
	add := func(name, value string) { words = append(words, name+" "+value) }
	if f.Kind == KindDNS {
		about := "all peers"
		if len(f.DNS.Peers) > 0 {
			about = strings.Join(f.DNS.Peers, " ")
		}
		add(map[Answers]string{NoAnswers: "no answers for", StaleAnswers: "stale answers for"}[f.DNS.Answers], about)
	}
	if f.Clock.Bump != 0 {
		add("bump", f.Clock.Bump.String())
	}
	if f.Clock.Drift != 0 {
		add("drift", strconv.FormatFloat(f.Clock.Drift, 'f', -1, 64))
	}
	if f.Clock.Strobe != 0 {
		add("strobe", f.Clock.Strobe.String())
	}
	if f.Limits.Memory != 0 {
		add("memory", strconv.FormatFloat(float64(f.Limits.Memory)/(1<<20), 'f', -1, 64)+" MiB")
	}
	if f.Limits.CPUs != 0 {
		add("cpus", strconv.FormatFloat(f.Limits.CPUs, 'f', -1, 64))
	}
	for _, p := range f.Limits.Full {
		add("full", p)
	}
	return strings.Join(words, ", ")
}

// LimitsOf returns what a node may use while faults are in force, from what it may use otherwise:
// the lowest of all. Zero is no limit.
func LimitsOf(node string, own Limits, faults []Fault, now time.Time) Limits {
	lower := func(a, b float64) float64 {
		if a == 0 || b != 0 && b < a {
			return b
		}
		return a
	}
	for _, f := range faults {
		if f.Kind != KindSqueeze || !f.InForce(now) || !slices.Contains(f.Nodes, node) {
			continue
		}
		own.Memory = int64(lower(float64(own.Memory), float64(f.Limits.Memory)))
		own.CPUs = lower(own.CPUs, f.Limits.CPUs)
		own.Full = append(slices.Clone(own.Full), f.Limits.Full...)
	}
	own.Full = slices.Compact(slices.Sorted(slices.Values(own.Full)))
	return own
}
