package orchestrator

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// State says where a node is in its life. A node has exactly one at a time.
type State string

// The states of a node, in the order of its life.
const (
	Pending     State = "pending"     // declared, nothing done yet
	Creating    State = "creating"    // the container is being created
	Starting    State = "starting"    // the container is starting or running; the node is not proven yet
	Running     State = "running"     // its container runs, and no supervisor proves that it is Ready: see package discovery
	Ready       State = "ready"       // proven: handshake, application, checks, mesh
	Unreachable State = "unreachable" // its host does not answer, nor does it: nothing is known of its container
	Degraded    State = "degraded"    // was Ready, is running, and now fails a proof or is deliberately disconnected from peers
	BackingOff  State = "backing-off" // crashed, waiting for its restart
	Stopping    State = "stopping"    // was asked to stop
	Stopped     State = "stopped"     // stopped by request
	Completed   State = "completed"   // ended by itself with success
	Failed      State = "failed"      // ended, and will not be restarted
)

// Running reports whether a node in this state has a running container, as far as known.
func (s State) Running() bool {
	switch s {
	case Starting, Running, Ready, Degraded, Unreachable, Stopping:
		return true
	case Pending, Creating, BackingOff, Stopped, Completed, Failed:
		return false
	}
	return false
}

// Final reports whether the state stays until a user requests something.
func (s State) Final() bool {
	switch s {
	case Stopped, Completed, Failed:
		return true
	case Pending, Creating, Starting, Running, Ready, Degraded, Unreachable, BackingOff, Stopping:
		return false
	}
	return false
}

// ExitClass says how a run ended. It is derived from our intent, the engine's events and
// the exit code together: a code alone is not enough.
type ExitClass string

// The classes of an exit.
const (
	ExitCompleted      ExitClass = "completed"       // code 0 (or another success code), by itself
	ExitCrashed        ExitClass = "crashed"         // any other code, by itself
	ExitKilled         ExitClass = "killed"          // by a signal that was not part of our stop
	ExitOOM            ExitClass = "oom"             // by the kernel, for exceeding its memory limit
	ExitStopped        ExitClass = "stopped"         // we stopped it
	ExitStoppedOutside ExitClass = "stopped-outside" // stopped by `docker stop` from outside
	ExitRemoved        ExitClass = "removed"         // the container was removed from outside
	ExitBoot           ExitClass = "boot"            // ended before it was ever Ready in this run
	ExitStartError     ExitClass = "start-error"     // the container could not be created or started
)

// Exit says how a run of a node ended.
type Exit struct {
	Class  ExitClass `json:"class"`
	Code   int       `json:"code"`
	Reason string    `json:"reason,omitempty"` // a start error's text, or the output line that explains the end
	Slogan string    `json:"slogan,omitempty"` // of the crash dump that the run left
	// WaitsFor is what the run lacked, if it may appear with time: "db:5432: connection
	// refused". Such a boot is retried within the restart budget.
	WaitsFor string    `json:"waits_for,omitempty"`
	Dump     string    `json:"dump,omitempty"` // the path that the crash dump was copied to: see [Spec].KeepDumps
	At       time.Time `json:"at,omitzero"`
}

// String returns a short form: "crashed (exit 1)", "killed (exit 137)".
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

// NodeStatus is the status of one node.
type NodeStatus struct {
	Name          string       `json:"name"` // "n1"
	Node          string       `json:"node"` // "app@n1.demo.test"
	Host          string       `json:"hostname"`
	On            string       `json:"host,omitempty"` // the one of [Spec].Hosts that it runs on
	State         State        `json:"state"`
	Reason        string       `json:"reason,omitempty"` // why it is not Ready, in one line
	Paused        bool         `json:"paused,omitempty"` // its container is paused
	URL           string       `json:"url,omitempty"`    // "http://127.0.0.1:4200"; with a remote engine, that host's: "http://lab:4200"
	HTTPPort      int          `json:"http_port,omitempty"`
	Serving       Serving      `json:"serving,omitempty"` // what listens on its HTTP port, inside; URL is "" if the port is not reachable
	Ports         []PortStatus `json:"ports,omitempty"`
	IP            netip.Addr   `json:"ip,omitzero"`
	Image         string       `json:"image,omitempty"` // if it is not the cluster's
	Container     string       `json:"container"`       // its name
	ContainerID   string       `json:"container_id,omitempty"`
	PID           int          `json:"os_pid,omitempty"` // of the container's first process on the engine's host
	Peers         []string     `json:"peers,omitempty"`  // short names of the nodes that this one is connected to
	Cut           []string     `json:"cut,omitempty"`    // short names of the nodes that it is deliberately disconnected from
	Incarnation   int          `json:"incarnation"`      // counts the starts of this container; 0: not known
	RestartCount  int          `json:"restart_count"`    // restarts after crashes, in total
	Restarts      string       `json:"restarts,omitempty"`
	DroppedLines  uint64       `json:"dropped_lines,omitempty"` // lines of its output that the ring no longer keeps
	StartedAt     time.Time    `json:"started_at,omitzero"`
	StoppedAt     time.Time    `json:"stopped_at,omitzero"`
	NextRestartAt time.Time    `json:"next_restart_at,omitzero"`
	LastExit      *Exit        `json:"exit_reason,omitempty"`
	// Findings say what is wrong with the node, root causes first.
	Findings []Finding `json:"findings,omitempty"`
}

// Status is the status of a cluster.
type Status struct {
	Cluster    string       `json:"cluster"`
	Supervised bool         `json:"supervised"` // a supervisor manages it
	Ready      bool         `json:"ready"`      // every node is Ready and the mesh is full
	Network    string       `json:"network"`
	NetworkID  string       `json:"network_id,omitempty"`
	Subnet     netip.Prefix `json:"subnet,omitzero"`
	Image      string       `json:"image"`
	Source     string       `json:"source,omitempty"`
	App        string       `json:"app,omitempty"` // the OTP application that must be started on a node; "" or "-": none
	Created    time.Time    `json:"created,omitzero"`
	Nodes      []NodeStatus `json:"nodes"`
	// Faults are the faults in force, the oldest first: see package faults.
	Faults []fault.Fault `json:"faults,omitempty"`
}

// HealthReport is the health of a cluster, with what is known about the causes.
type HealthReport struct {
	health.Report
	// Findings explain the causes that are known, roots first.
	Findings []Finding `json:"findings,omitempty"`
}

// Printed returns the report as the command line prints it: its hints are text, with
// commands.
func (r HealthReport) Printed() HealthReport {
	r.Report, r.Findings = r.Report.Printed(), PrintedFindings(r.Findings)
	return r
}

// Printed returns the status as the command line prints it: its hints are text, with
// commands.
func (s Status) Printed() Status {
	s.Nodes = slices.Clone(s.Nodes)
	for i, n := range s.Nodes {
		s.Nodes[i].Findings = PrintedFindings(n.Findings)
	}
	return s
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

// Event is something that happened to a cluster. Events are ordered as they happened.
type Event struct {
	Seq   uint64    `json:"seq"`
	Time  time.Time `json:"time"`
	Node  string    `json:"node,omitempty"`
	Kind  EventKind `json:"kind"`
	Text  string    `json:"text"`            // one line for people
	Hint  hint.Hint `json:"hint,omitempty"`  // what to do about it
	State State     `json:"state,omitempty"` // the node's new state
	Exit  *Exit     `json:"exit,omitempty"`
	// Finding is the diagnosed problem.
	Finding *Finding `json:"finding,omitempty"`
	// Took is how long a sync took, in nanoseconds.
	Took time.Duration `json:"took,omitempty"`
}

// String returns the text and the hint on one line.
func (e Event) String() string { return e.Printed().Text }

// Printed returns the event as the command line prints it: its hints are text, with
// commands, and its own is in its Text.
func (e Event) Printed() Event {
	if len(e.Hint) > 0 {
		e.Text, e.Hint = e.Text+"; "+e.Hint.String(), nil
	}
	if e.Finding != nil {
		e.Finding = &PrintedFindings([]Finding{*e.Finding})[0]
	}
	return e
}

// EventKind says what kind of event it is.
type EventKind string

// The kinds of events.
const (
	EventPhase EventKind = "phase" // of the cluster: network, image, nodes, mesh, ready, stopping, stopped
	EventState EventKind = "state" // a node's state changed
	EventExit  EventKind = "exit"  // a node's run ended
	EventMesh  EventKind = "mesh"  // a connection between nodes was made or lost
	EventFault EventKind = "fault" // a fault came into force, or was healed
	// EventFinding explains why something is wrong with a node.
	EventFinding EventKind = "finding"
	EventSync    EventKind = "sync"    // changed sources were loaded into nodes
	EventUpgrade EventKind = "upgrade" // an upgrade or a rollback began, came to a node, stopped or ended
	EventNote    EventKind = "note"    // worth knowing: an engine reconnect, a port that moved
)

// JournalEntry is something that the engine, a node or a user reported to a cluster, as
// it was reported. An [Event] says what the cluster concluded from it.
type JournalEntry struct {
	Time   time.Time     `json:"time"` // the reporter's time: an engine's event has the engine's
	Source JournalSource `json:"source"`
	Node   string        `json:"node,omitempty"` // short name of the node that it concerns, or that reported it; "" for the cluster
	Peer   string        `json:"peer,omitempty"` // the node that was seen to connect or disconnect, as written in Text
	Text   string        `json:"text"`           // one line: "die (exit 137)", "nodedown n2 (connection_closed)"
	// Fault is the fault that came into force, or that ended if Healed is set. Nil: the entry is
	// about something else, or of an earlier supervisor.
	Fault  *fault.Fault `json:"fault,omitempty"`
	Healed bool         `json:"healed,omitempty"`
}

// Serving says what listens on a node's HTTP port, inside its container.
type Serving string

// JournalSource says where a [JournalEntry] comes from.
type JournalSource string

// The sources of journal entries.
const (
	FromEngine JournalSource = "engine" // an event of the container engine
	FromNode   JournalSource = "node"   // a change that a node observed: nodeup, nodedown
	FromUser   JournalSource = "user"   // a request, or a signal to the keeper
	FromFault  JournalSource = "fault"  // a fault that was injected or healed
)

// What listens on a node's HTTP port.
const (
	ServingUnknown   Serving = ""          // not examined
	ServingOpen      Serving = "open"      // something listens, and is reachable
	ServingForwarded Serving = "forwarded" // something listens only on loopback; a forwarder makes it reachable
	ServingLoopback  Serving = "loopback"  // something listens only on loopback
	ServingNothing   Serving = "nothing"   // nothing listens
)

// Reachable reports whether the port answers from outside the container, as far as known.
func (s Serving) Reachable() bool {
	return s != ServingLoopback && s != ServingNothing
}

// StartSlack is how much later than a process's first line the engine may record its
// start: version 20.10 takes the time after the start has completed.
const StartSlack = 100 * time.Millisecond

// Placement is what is decided about one node in addition to its spec: its container's
// address and its own host ports.
type Placement struct {
	IP    netip.Addr
	Ports []PortBinding
}

// CodeKilled is the exit code of a process ended by SIGKILL.
const CodeKilled = 128 + 9
