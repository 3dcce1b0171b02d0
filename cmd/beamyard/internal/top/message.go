package top

import (
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// Action is what a key does to a node or to the cluster.
type Action string

// The actions, by the names of their commands.
const (
	Kill    Action = "kill"
	Restart Action = "restart"
	Stop    Action = "stop"
	Start   Action = "start"
	Pause   Action = "pause"
	Unpause Action = "unpause"
	Heal    Action = "heal" // all faults of the cluster
)

// asks reports whether an action needs a second press: it ends what runs on the node.
func (a Action) asks() bool {
	switch a {
	case Kill, Restart, Stop:
		return true
	case Start, Pause, Unpause, Heal:
	}
	return false
}

// What happens outside a [Model], besides the messages of Bubble Tea for keys and sizes.
type (
	// Told is the cluster's status.
	Told struct{ Status orchestrator.Status }
	// Examined is the cluster's health.
	Examined struct{ Report orchestrator.HealthReport }
	// Happened are events, oldest first. With Anew a connection begins with them.
	Happened struct {
		Events []orchestrator.Event
		Anew   bool
	}
	// Printed are lines of a node's log. With Anew they replace those that are shown.
	Printed struct {
		Node  string
		Lines []orchestrator.Line
		Anew  bool
	}
	// Lost says that the supervisor, or the cluster, does not answer.
	Lost struct {
		At  time.Time
		Err error
	}
	// Found says that a supervisor answers, or that there is none and never was.
	Found struct{}
	// Done says how an action ended.
	Done struct {
		Action Action
		Node   string
		Err    error
	}
	// Tick is the time.
	Tick time.Time

	// broken carries a panic of the feed into the event loop.
	broken struct{ cause any }
)
