package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator/internal/english"
)

// Kind is what a step does.
type Kind string

// The kinds of steps.
const (
	Kill      Kind = "kill"      // SIGKILL; the restart policy follows
	Stop      Kind = "stop"      // an orderly stop, and a start
	Pause     Kind = "pause"     // all processes of a node freeze, and continue
	Partition Kind = "partition" // groups of nodes do not reach each other
	OneWay    Kind = "one-way"   // a node does not get what another one sends
	Blip      Kind = "blip"      // connections are reset once
	Loss      Kind = "loss"      // packets from and to a node are lost
	Rate      Kind = "rate"      // the links of a node are narrow
)

// Kinds are all kinds.
var Kinds = []Kind{Kill, Stop, Pause, Partition, OneWay, Blip, Loss, Rate}

// DefaultKinds are those of [Options] without kinds. They need nothing of the kernel but nftables,
// and tcp_diag's destroy for blips.
var DefaultKinds = []Kind{Kill, Partition, Blip, Pause, Loss}

// onNodes reports whether a kind acts on nodes, and not on the network between them.
func (k Kind) onNodes() bool { return k == Kill || k == Stop || k == Pause }

// lasts reports whether a kind has an end.
func (k Kind) lasts() bool { return k != Blip }

// Step is one fault of a schedule.
type Step struct {
	// At is when it begins, after the begin of the run. A step with After begins that long
	// after the end of the step before it, whenever that is, and At is when that is planned.
	At    time.Duration `json:"at"`
	After time.Duration `json:"after,omitempty"`
	Kind  Kind          `json:"kind"`
	// Nodes that are killed, stopped or paused.
	Nodes []string `json:"nodes,omitempty"`
	// Fault of the network. The connections that a blip resets are those that it cuts.
	Fault fault.Fault `json:"fault,omitzero"`
	// Lasts is how long it stays in force: for a kill, when the node must be on its way back.
	Lasts time.Duration `json:"lasts,omitempty"`
}

// String describes a step in one line, without its time: "pause n2 for 4.2s".
func (s Step) String() string {
	text := string(s.Kind) + " " + strings.Join(s.Nodes, " ")
	switch {
	case s.Kind == Blip:
		text = "blip" + strings.TrimSuffix(strings.TrimPrefix(s.Fault.String(), "partition"), ", "+string(fault.Drop))
	case !s.Kind.onNodes():
		text = s.Fault.String()
	}
	if s.Kind.lasts() && s.Kind != Kill {
		text += " for " + s.Lasts.String()
	}
	return text
}

// Schedule is a sequence of steps, in the order of time.
type Schedule struct {
	Seed  uint64        `json:"seed"`
	For   time.Duration `json:"for"`
	Every time.Duration `json:"every"`
	Nodes []string      `json:"nodes"` // the nodes of the cluster that it is for
	Steps []Step        `json:"steps"`
}

// String returns one line for each step, after a line for all.
func (s Schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %s in %s on %s\n", s.Seed, english.Plural(len(s.Steps), "fault", "faults"), s.For, strings.Join(s.Nodes, " "))
	for _, step := range s.Steps {
		after := ""
		if step.After > 0 {
			after = fmt.Sprintf(", %s after the end of the last", step.After)
		}
		fmt.Fprintf(&b, "%9s  %s%s\n", seconds(step.At), step, after)
	}
	return b.String()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

// Read decodes a schedule, and checks it: see [Schedule.Validate].
func Read(data []byte) (Schedule, error) {
	var s Schedule
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("read the schedule: %w", err)
	}
	return s, s.Validate()
}

// Validate reports what is wrong with a schedule.
func (s Schedule) Validate() error {
	if len(s.Nodes) == 0 {
		return errors.New("the schedule has no nodes")
	}
	last := time.Duration(0)
	for i, step := range s.Steps {
		wrong := func(format string, args ...any) error {
			return fmt.Errorf("step %d, %s: %w", i+1, step.Kind, fmt.Errorf(format, args...))
		}
		switch {
		case !slices.Contains(Kinds, step.Kind):
			return wrong("unknown kind")
		case step.At < last:
			return wrong("it begins before the step before it")
		case step.Lasts < 0, step.After < 0, step.After > 0 && i == 0:
			return wrong("its times are impossible")
		case step.Kind.onNodes() && len(step.Nodes) == 0:
			return wrong("it names no node")
		}
		for _, n := range step.Nodes {
			if !slices.Contains(s.Nodes, n) {
				return wrong("unknown node %q", n)
			}
		}
		if !step.Kind.onNodes() {
			if err := step.Fault.Validate(s.Nodes); err != nil {
				return wrong("%w", err)
			}
		}
		last = step.At
	}
	return nil
}
