package orchestrator

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// State says where a node is. There is exactly one at a time.
type State string

// The states of a node, in the order of a life.
const (
	Pending    State = "pending"     // declared, nothing done yet
	Creating   State = "creating"    // the container is being created
	Starting   State = "starting"    // the container starts or runs, the node is not proven yet
	Ready      State = "ready"       // proven: handshake, application, checks, mesh
	Degraded   State = "degraded"    // was Ready, runs, and now fails a proof, or is kept apart from peers on purpose
	BackingOff State = "backing-off" // crashed, waits for its restart
	Stopping   State = "stopping"    // asked to stop
	Stopped    State = "stopped"     // stopped because somebody asked
	Completed  State = "completed"   // ended by itself with success
	Failed     State = "failed"      // ended, and nothing will restart it
)

// Running reports whether a node of this state has a container that runs.
func (s State) Running() bool {
	switch s {
	case Starting, Ready, Degraded, Stopping:
		return true
	case Pending, Creating, BackingOff, Stopped, Completed, Failed:
		return false
	}
	return false
}

// Final reports whether the state stays until somebody asks for something.
func (s State) Final() bool {
	switch s {
	case Stopped, Completed, Failed:
		return true
	case Pending, Creating, Starting, Ready, Degraded, BackingOff, Stopping:
		return false
	}
	return false
}

// ExitClass says what kind of an end it was. It is told from our intent, the
// engine's events and the exit code together: no code alone decides.
type ExitClass string

// The classes of an exit.
const (
	ExitCompleted      ExitClass = "completed"       // code 0 (or another success code), by itself
	ExitCrashed        ExitClass = "crashed"         // any other code, by itself
	ExitKilled         ExitClass = "killed"          // by a signal that nobody of us sent as a stop
	ExitOOM            ExitClass = "oom"             // by the kernel, over its memory limit
	ExitStopped        ExitClass = "stopped"         // we stopped it
	ExitStoppedOutside ExitClass = "stopped-outside" // somebody else did `docker stop`
	ExitRemoved        ExitClass = "removed"         // somebody else removed the container
	ExitBoot           ExitClass = "boot"            // ended before it was ever Ready in this run
	ExitStartError     ExitClass = "start-error"     // the container could not be created or started
)

// Exit is how a run of a node ended.
type Exit struct {
	Class  ExitClass `json:"class"`
	Code   int       `json:"code"`
	Reason string    `json:"reason,omitempty"` // a start error's text, or the line that tells why
	Slogan string    `json:"slogan,omitempty"` // of the crash dump that the run left
	// WaitsFor is what the run ended for want of, where time may bring it: "db:5432:
	// connection refused". Such a boot is tried again within the restart budget.
	WaitsFor string    `json:"waits_for,omitempty"`
	Dump     string    `json:"dump,omitempty"` // where that was copied to: see [Spec].KeepDumps
	At       time.Time `json:"at,omitzero"`
}

// String is short: "crashed (exit 1)", "killed (exit 137)".
func (e Exit) String() string {
	switch e.Class {
	case ExitStartError:
		return "start error: " + e.Reason
	case ExitRemoved:
		return "container removed from outside"
	case ExitStopped, ExitCompleted, ExitStoppedOutside, ExitCrashed, ExitKilled, ExitOOM, ExitBoot:
		return fmt.Sprintf("%s (exit %d)", e.Class, e.Code)
	}
	return ""
}

// PortStatus is one published port.
type PortStatus struct {
	Container int    `json:"container"`
	HostIP    string `json:"host_ip"`
	Host      int    `json:"host"`
}

// NodeStatus is what is known of one node.
type NodeStatus struct {
	Name          string       `json:"name"` // "n1"
	Node          string       `json:"node"` // "app@n1.demo.test"
	Host          string       `json:"hostname"`
	State         State        `json:"state"`
	Reason        string       `json:"reason,omitempty"` // why it is not Ready, in one line
	Paused        bool         `json:"paused,omitempty"` // its container is frozen
	URL           string       `json:"url,omitempty"`    // "http://127.0.0.1:4200"; of a remote engine its host's, "http://lab:4200"
	HTTPPort      int          `json:"http_port,omitempty"`
	Serving       Serving      `json:"serving,omitempty"` // what is at its HTTP port, inside; URL is "" where that is not reached
	Ports         []PortStatus `json:"ports,omitempty"`
	IP            netip.Addr   `json:"ip,omitzero"`
	Container     string       `json:"container"` // its name
	ContainerID   string       `json:"container_id,omitempty"`
	PID           int          `json:"os_pid,omitempty"` // of the container's first process on the engine's host
	Peers         []string     `json:"peers,omitempty"`  // short names of the nodes that this one is connected to
	Cut           []string     `json:"cut,omitempty"`    // short names of those that it is kept apart from on purpose
	Incarnation   int          `json:"incarnation"`      // the n-th start of this container
	RestartCount  int          `json:"restart_count"`    // restarts after crashes, ever
	Restarts      string       `json:"restarts,omitempty"`
	DroppedLines  uint64       `json:"dropped_lines,omitempty"` // of its output, no longer kept in the ring
	StartedAt     time.Time    `json:"started_at,omitzero"`
	StoppedAt     time.Time    `json:"stopped_at,omitzero"`
	NextRestartAt time.Time    `json:"next_restart_at,omitzero"`
	LastExit      *Exit        `json:"exit_reason,omitempty"`
	// Findings say what is wrong with it, roots first.
	Findings []diagnosis.Finding `json:"findings,omitempty"`
}

// Status is what is known of a cluster.
type Status struct {
	Cluster    string       `json:"cluster"`
	Supervised bool         `json:"supervised"` // a supervisor answers for it
	Ready      bool         `json:"ready"`      // every node is Ready, the mesh is full
	Network    string       `json:"network"`
	NetworkID  string       `json:"network_id,omitempty"`
	Subnet     netip.Prefix `json:"subnet,omitzero"`
	Image      string       `json:"image"`
	Source     string       `json:"source,omitempty"`
	App        string       `json:"app,omitempty"` // the OTP application that a node must have started; "" or "-": none
	Created    time.Time    `json:"created,omitzero"`
	Nodes      []NodeStatus `json:"nodes"`
}

// Node returns the status of one node, by its short name.
func (s Status) Node(name string) (NodeStatus, bool) {
	for _, n := range s.Nodes {
		if n.Name == name {
			return n, true
		}
	}
	return NodeStatus{}, false
}

// Event is something that happened to a cluster, in the order in which it
// happened.
type Event struct {
	Seq   uint64    `json:"seq"`
	Time  time.Time `json:"time"`
	Node  string    `json:"node,omitempty"`
	Kind  EventKind `json:"kind"`
	Text  string    `json:"text"`            // one line for people
	State State     `json:"state,omitempty"` // the node's state from now on
	Exit  *Exit     `json:"exit,omitempty"`
	// Finding is what was found to be wrong.
	Finding *diagnosis.Finding `json:"finding,omitempty"`
}

// EventKind says what kind of a thing happened.
type EventKind string

// The kinds of events.
const (
	EventPhase EventKind = "phase" // of the cluster: network, image, nodes, mesh, ready, stopping, stopped
	EventState EventKind = "state" // a node's state changed
	EventExit  EventKind = "exit"  // a node's run ended
	EventMesh  EventKind = "mesh"  // a connection between nodes came or went
	// EventFinding tells why something is wrong with a node.
	EventFinding EventKind = "finding"
	EventNote    EventKind = "note" // worth knowing: an engine reconnect, a port that moved
)

// JournalEntry is something that others told a cluster, as they told it. An
// [Event] says what the cluster made of it.
type JournalEntry struct {
	Time   time.Time     `json:"time"` // of who told it: an engine's event has the engine's
	Source JournalSource `json:"source"`
	Node   string        `json:"node,omitempty"` // the short name of the node that it is about, or that told it; "" for the cluster
	Peer   string        `json:"peer,omitempty"` // whom the node saw come or go, as it stands in Text
	Text   string        `json:"text"`           // one line: "die (exit 137)", "nodedown n2 (connection_closed)"
}

// Serving is what is known of a node's HTTP port, inside its container.
type Serving string

// JournalSource says who told a [JournalEntry].
type JournalSource string

// The sources.
const (
	FromEngine JournalSource = "engine" // an event of the container engine
	FromNode   JournalSource = "node"   // what a node noticed: nodeup, nodedown
	FromUser   JournalSource = "user"   // a request, or a signal to the keeper
	FromFault  JournalSource = "fault"  // a fault that was set or healed on purpose
)

// What there is at a node's HTTP port.
const (
	ServingUnknown   Serving = ""          // it was not looked at
	ServingOpen      Serving = "open"      // something listens, and is reached
	ServingForwarded Serving = "forwarded" // something listens on loopback alone; a forwarder makes it reached
	ServingLoopback  Serving = "loopback"  // something listens on loopback alone
	ServingNothing   Serving = "nothing"   // nothing listens
)

// reached reports whether the port answers from outside of the container, as far as
// is known.
func (s Serving) reached() bool {
	return s != ServingLoopback && s != ServingNothing
}
