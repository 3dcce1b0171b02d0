package orchestrator

import (
	"context"
	"io"
	"time"

	"github.com/beamyard/beamyard/orchestrator/codesync"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// Controller is a running cluster as its users see it. [Cluster] is one, and
// so is the client of the control socket in package orchestrator/control: a
// command works the same on a cluster of its own process and on a detached one.
type Controller interface {
	// Status returns what is known now.
	Status(ctx context.Context) (Status, error)

	// Health asks every node and judges the answers. That something is wrong is in
	// the report, not an error.
	Health(ctx context.Context) (health.Report, error)

	// WaitReady returns nil once every node is Ready and the mesh is full, a
	// [ClusterError] when the cluster's ReadyTimeout passed or a node failed for
	// good before that, or ctx's error.
	WaitReady(ctx context.Context) error

	// Events calls fn with every kept event whose Seq is larger than after,
	// oldest first, and with follow also with each new one until ctx or the
	// cluster ends (nil) or fn fails (its error). The last 1000 are kept.
	Events(ctx context.Context, after uint64, follow bool, fn func(Event) error) error

	// Logs calls fn with the kept lines that the query asks for, in time order,
	// and with Follow also with each new one, none lost between the two, until
	// ctx or the cluster ends (nil) or fn fails (its error). An unknown node
	// matches [ErrNoNode].
	Logs(ctx context.Context, q LogQuery, fn func(Line) error) error

	// Journal returns what others told the cluster, in the order in which it was
	// heard: the engine's events, users' requests, what nodes saw of each other.
	// The last 10,000 are kept.
	Journal(ctx context.Context) ([]JournalEntry, error)

	// Start starts nodes that do not run; one that runs is no error. It
	// returns when the engine has started them: use WaitReady for the proof.
	Start(ctx context.Context, nodes ...string) error
	// Stop stops nodes gracefully, then with SIGKILL, and returns when they
	// are down; they stay down. A stopped one is no error.
	Stop(ctx context.Context, nodes ...string) error
	// Restart is Stop and Start. It costs no restart budget.
	Restart(ctx context.Context, nodes ...string) error
	// Kill sends a signal ("KILL", "TERM", "USR1", …) and leaves the rest to
	// the restart policy, as if the node had crashed. A node that does not run
	// matches [ErrNotRunning].
	Kill(ctx context.Context, signal string, nodes ...string) error
	// Pause freezes nodes: a paused one neither runs nor answers, is Degraded, and is
	// not restarted. One that is paused is no error; one that does not run matches
	// [ErrNotRunning].
	Pause(ctx context.Context, nodes ...string) error
	// Unpause lets paused nodes go on. One that is not paused is no error; one that does
	// not run matches [ErrNotRunning]. Use WaitReady for the proof that the others have
	// them again.
	Unpause(ctx context.Context, nodes ...string) error

	// Eval evaluates an expression on a node, over the supervisor's own connection to
	// it; see [Eval]. An unknown node matches [ErrNoNode], one that does not run, or is
	// paused, [ErrNotRunning].
	Eval(ctx context.Context, node, expression string, o EvalOptions) (string, error)

	// Sync has the local sources that changed since the image was made compiled
	// once, loads what they became into the nodes, and proves that all run it. The
	// errors of package codesync say why no node was changed.
	Sync(ctx context.Context, opts SyncOptions) (codesync.Report, error)

	// Down stops all nodes and removes everything of the cluster. It returns
	// when nothing is left.
	Down(ctx context.Context) error
}

// Stream is one of a node's output streams.
type Stream string

// The streams. StreamSystem carries what Beamyard or the engine says about the
// output itself: a run's boundary, the engine's error while reading.
const (
	Stdout       Stream = "stdout"
	Stderr       Stream = "stderr"
	StreamSystem Stream = "system"
)

// Line is one line that a node printed, without its newline.
type Line struct {
	Node   string    `json:"node"`
	Stream Stream    `json:"stream"`
	Seq    uint64    `json:"seq"` // counts the lines of this stream of this node from 1; a gap is lines that were dropped
	Run    int       `json:"run"` // the incarnation that printed it
	Time   time.Time `json:"time"`
	Text   string    `json:"text"`          // as the engine kept it: json-file replaces invalid UTF-8 by U+FFFD
	Cut    bool      `json:"cut,omitempty"` // it was longer than 256 KiB, the rest is dropped
	// Dropped is set on a line of StreamSystem, without a Seq, that stands for so
	// many lines: the ring no longer kept them when they were to be read.
	Dropped uint64 `json:"dropped,omitempty"`
}

// LogQuery says which lines are wanted. The zero value is everything kept.
type LogQuery struct {
	Nodes  []string  `json:"nodes,omitempty"`  // empty: all
	Stream Stream    `json:"stream,omitempty"` // "": both
	Tail   int       `json:"tail,omitempty"`   // the last so many lines of each node; 0: all, -1: none
	Since  time.Time `json:"since,omitzero"`
	Follow bool      `json:"follow,omitempty"`
	// Run asks for the lines of one run, by its incarnation; 0: of all.
	Run int `json:"run,omitempty"`
	// SinceRestart asks for the lines of each node's present run, or of its last
	// one, and of those that follow it.
	SinceRestart bool `json:"since_restart,omitempty"`
	// Grep is a regular expression (RE2) that lines must match; Tail counts those
	// that do. "": all.
	Grep string `json:"grep,omitempty"`
}

// EvalOptions say how an expression is evaluated. The zero value works.
type EvalOptions struct {
	// Output gets what the expression prints, while it runs. Nil: dropped.
	Output io.Writer
	// File is the expression's name in stack traces. Default "rpc".
	File string
	// Erlang says that it is Erlang, comma-separated expressions, and that the
	// value is to be printed so. The node needs no Elixir then.
	Erlang bool
}

// SyncOptions say how [Cluster.Sync] goes about it. The zero value loads code into
// every node that runs, all at once, and kills nothing.
type SyncOptions struct {
	// Nodes that are to run the new code, by their names or roles; empty: all.
	Nodes []string `json:"nodes,omitempty"`
	// Rolling goes node by node, and stops at the first that is not well with it.
	Rolling bool `json:"rolling,omitempty"`
	// Restart restarts the nodes, which applies what they read only when they start.
	Restart bool `json:"restart,omitempty"`
	// PurgeHard kills processes that run code which is to go.
	PurgeHard bool `json:"purge_hard,omitempty"`
}
