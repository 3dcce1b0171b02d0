package orchestrator

import (
	"context"
	"io"
	"time"

	"github.com/beamyard/beamyard/orchestrator/codesync"
)

// Controller controls a running cluster. [cluster.Cluster] implements it, and so does the client
// of the control socket in package orchestrator/control: a command works the same on a
// cluster of its own process and on a detached one.
type Controller interface {
	// Status returns the current status.
	Status(ctx context.Context) (Status, error)

	// Health queries every node and judges the answers. Problems are part of the report,
	// not an error.
	Health(ctx context.Context) (HealthReport, error)

	// WaitReady returns nil once every node is Ready and the mesh is full. It returns a
	// [ClusterError] if the cluster's ReadyTimeout passes or a node fails for good before
	// that, or ctx's error.
	WaitReady(ctx context.Context) error

	// Events calls fn with every kept event whose Seq is larger than after, oldest first.
	// With follow it continues with each new event. It returns nil when ctx or the
	// cluster ends, or fn's error. The last 1000 events are kept.
	Events(ctx context.Context, after uint64, follow bool, fn func(Event) error) error

	// Logs calls fn with the kept lines that match the query, in time order. With Follow
	// it continues with each new line, and loses none in between. It returns nil when ctx
	// or the cluster ends, or fn's error. An unknown node matches [ErrNoNode].
	Logs(ctx context.Context, q LogQuery, fn func(Line) error) error

	// Journal returns what was reported to the cluster, in the order in which it arrived:
	// the engine's events, users' requests, and the changes that nodes observed in each
	// other. The last 10,000 entries are kept.
	Journal(ctx context.Context) ([]JournalEntry, error)

	// Start starts nodes that are not running. A running node is not an error. Start
	// returns when the engine has started the nodes: use WaitReady to wait until they are
	// proven.
	Start(ctx context.Context, nodes ...string) error
	// Stop stops nodes gracefully, then with SIGKILL, and returns when they are down.
	// They stay down. A stopped node is not an error.
	Stop(ctx context.Context, nodes ...string) error
	// Restart stops and starts nodes. It does not count against the restart budget.
	Restart(ctx context.Context, nodes ...string) error
	// Kill sends a signal ("KILL", "TERM", "USR1", …) to nodes. The restart policy then
	// applies, as if the node had crashed. A node that is not running matches
	// [ErrNotRunning].
	Kill(ctx context.Context, signal string, nodes ...string) error
	// Pause suspends nodes. A paused node does not run or answer, is Degraded, and is not
	// restarted. Pausing a paused node is not an error; a node that is not running
	// matches [ErrNotRunning].
	Pause(ctx context.Context, nodes ...string) error
	// Unpause resumes paused nodes. A node that is not paused is not an error; one that
	// is not running matches [ErrNotRunning]. Use WaitReady to wait until the other nodes
	// are connected to them again.
	Unpause(ctx context.Context, nodes ...string) error

	// Eval evaluates an expression on a node, over the supervisor's existing connection;
	// see [discovery.Eval]. An unknown node matches [ErrNoNode]. A node that is not
	// running, or is paused, matches [ErrNotRunning].
	Eval(ctx context.Context, node, expression string, o EvalOptions) (string, error)

	// Sync compiles the local sources that changed since the image was built, once, loads
	// the result into the nodes, and verifies that all of them run it. The errors of
	// package codesync say why no node was changed.
	Sync(ctx context.Context, opts SyncOptions) (codesync.Report, error)

	// Down stops all nodes and removes everything of the cluster. It returns when nothing
	// is left.
	Down(ctx context.Context) error
}

// Stream is one of a node's output streams.
type Stream string

// The streams. StreamSystem carries messages of Beamyard or the engine about the output
// itself: a run's boundary, the engine's error while reading.
const (
	Stdout       Stream = "stdout"
	Stderr       Stream = "stderr"
	StreamSystem Stream = "system"
)

// Line is one line that a node printed, without its newline.
type Line struct {
	Node   string    `json:"node"`
	Stream Stream    `json:"stream"`
	Seq    uint64    `json:"seq"` // counts the lines of this stream of this node from 1; a gap means dropped lines
	Run    int       `json:"run"` // the incarnation that printed it; 0: not known, because no supervisor counts runs
	Time   time.Time `json:"time"`
	Text   string    `json:"text"`          // as the engine kept it: json-file replaces invalid UTF-8 with U+FFFD
	Cut    bool      `json:"cut,omitempty"` // it was longer than 256 KiB, and the rest was dropped
	// Dropped is set on a line of StreamSystem without a Seq. It is the number of lines
	// that the ring had already dropped when they were to be read.
	Dropped uint64 `json:"dropped,omitempty"`
}

// LogQuery selects lines of output. The zero value selects everything kept.
type LogQuery struct {
	Nodes  []string  `json:"nodes,omitempty"`  // empty: all
	Stream Stream    `json:"stream,omitempty"` // "": both
	Tail   int       `json:"tail,omitempty"`   // the last lines of each node, at most this many; 0: all, -1: none
	Since  time.Time `json:"since,omitzero"`
	Follow bool      `json:"follow,omitempty"`
	// Run selects the lines of one run, by its incarnation; 0: all runs.
	Run int `json:"run,omitempty"`
	// SinceRestart selects the lines of each node's current run, or else its last one,
	// and of later runs.
	SinceRestart bool `json:"since_restart,omitempty"`
	// Grep is a regular expression (RE2) that lines must match; Tail counts only matching
	// lines. "": all.
	Grep string `json:"grep,omitempty"`
}

// EvalOptions say how an expression is evaluated. The zero value works.
type EvalOptions struct {
	// Output receives what the expression prints, while it runs. Nil: discarded.
	Output io.Writer
	// File is the expression's name in stack traces. Default "rpc".
	File string
	// Erlang says that the expression is Erlang (comma-separated expressions), and that
	// its value is printed as Erlang. The node then does not need Elixir.
	Erlang bool
}

// SyncOptions configure [cluster.Cluster.Sync]. The zero value loads code into every running
// node, all at once, and kills no processes.
type SyncOptions struct {
	// Nodes to load the new code into, by name or role; empty: all.
	Nodes []string `json:"nodes,omitempty"`
	// Rolling syncs one node at a time, and stops at the first that is not healthy
	// afterwards.
	Rolling bool `json:"rolling,omitempty"`
	// Restart restarts the nodes, which applies changes that are read only at the start.
	Restart bool `json:"restart,omitempty"`
	// PurgeHard kills processes still running old code.
	PurgeHard bool `json:"purge_hard,omitempty"`
}
