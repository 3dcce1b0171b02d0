package supervisor

import (
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// An Action is work that the supervisor requests. The set is sealed: the switch in
// cluster.Cluster.perform names each.
type Action interface{ isAction() }

// OnContainer is the head of an action on the container of one run of one node.
type OnContainer struct {
	RunID
	ContainerID string
}

type (
	// Launch creates a node's container, in place of the one it may have, and starts it; reply
	// [Launched].
	Launch struct {
		RunID
		Replace bool
	}

	// Start starts the container again; reply [Started].
	Start struct{ OnContainer }

	// Stop stops the container; reply [Stopped].
	Stop struct {
		OnContainer
		Grace time.Duration // before the engine kills it
	}

	// Kill sends a signal; reply [Killed].
	Kill struct {
		OnContainer
		Signal string
		Waiter Waiter
	}

	// Pause pauses the container, or unpauses it; reply [Paused].
	Pause struct {
		OnContainer
		Paused bool
		Waiter Waiter
	}

	// Follow reads the run's output.
	Follow struct {
		OnContainer
		Began time.Time // by the engine's clock: older lines belong to an earlier run
	}

	// Probe proves the run, and keeps watching it.
	Probe struct{ RunID }

	// Forget ends the goroutines that watch the run: it is over.
	Forget struct{ RunID }

	// Inspect asks the engine for the container; reply [Seen].
	Inspect struct{ OnContainer }

	// Postmortem finds out why the run ended; reply [Examined].
	Postmortem struct {
		OnContainer
		Code int // the exit code
	}

	// Connect makes a node connect to peers; reply [Connected].
	Connect struct {
		RunID
		Peers []string
	}

	// Sweep asks all nodes for their peers; reply [Mesh].
	Sweep struct{}

	// List compares these runs with the engine's list; reply [Seen] for each.
	List struct{ Runs map[string]RunID }

	// Remove removes everything of the cluster; reply [Removed].
	Remove struct{}

	// Reply answers a command.
	Reply struct {
		Waiter Waiter
		Err    error
	}

	// Emit publishes an event.
	Emit struct{ Event orchestrator.Event }

	// Mark adds a line of our own to the node's output.
	Mark struct {
		RunID
		Text string
	}

	// Done says that the cluster is over.
	Done struct{ Err error }
)

func (Launch) isAction()     {}
func (Start) isAction()      {}
func (Stop) isAction()       {}
func (Kill) isAction()       {}
func (Pause) isAction()      {}
func (Follow) isAction()     {}
func (Probe) isAction()      {}
func (Forget) isAction()     {}
func (Inspect) isAction()    {}
func (Postmortem) isAction() {}
func (Connect) isAction()    {}
func (Sweep) isAction()      {}
func (List) isAction()       {}
func (Remove) isAction()     {}
func (Reply) isAction()      {}
func (Emit) isAction()       {}
func (Mark) isAction()       {}
func (Done) isAction()       {}
