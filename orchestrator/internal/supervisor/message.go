package supervisor

import (
	"strings"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// A Message is an input of the supervisor. The set is sealed: the switch in
// [Supervisor.Step] names each. Reports of asynchronous work carry the incarnation that
// they are about; stale ones are dropped in one place, [Supervisor.stale].
type Message interface{ isMessage() }

// RunID is the head of a message about one run of one node.
type RunID struct {
	Node string
	Inc  int
}

type (
	// Tick only carries the time: due timers are handled with any message.
	Tick struct{}

	// Subscribed says that the event stream is open, for the first time or again:
	// earlier changes must be looked up.
	Subscribed struct{}

	// Unsubscribed says that the event stream broke.
	Unsubscribed struct{}

	// HostChanged says why one of several hosts does not answer; "": it does again.
	HostChanged struct{ Host, Lost string }

	// Adopted reports an existing container of this cluster, as the first message
	// about its node.
	Adopted struct {
		Node      string
		Container orchestrator.Container
		At        orchestrator.Placement
	}

	// Launched is the result of [Launch].
	Launched struct {
		RunID
		ID  string
		At  orchestrator.Placement
		Err error
	}

	// Started is the result of [Start].
	Started struct {
		RunID
		Err error
	}

	// Stopped is the result of [Stop], when the container has exited.
	Stopped struct {
		RunID
		Err error
	}

	// Killed is the result of [Kill].
	Killed struct {
		RunID
		Waiter Waiter
		Err    error
	}

	// Paused is the result of [Pause].
	Paused struct {
		RunID
		Paused bool
		Waiter Waiter
		Err    error
	}

	// EngineEvent is an event of the engine, each once and in order. Restarted marks events
	// of an engine's start: it stops the containers it finds running.
	EngineEvent struct {
		Event     orchestrator.ContainerEvent
		Restarted bool
	}

	// Seen is one container as the engine's list or an inspection shows it; nil if
	// there is none. It shows changes that the events missed.
	Seen struct {
		RunID
		Container *orchestrator.Container
	}

	// Live says that the node completed the distribution handshake.
	Live struct{ RunID }

	// Proven says that the application is started and the checks pass.
	Proven struct{ RunID }

	// Unproven says what is missing, still or again.
	Unproven struct {
		RunID
		Reason string
		Hint   hint.Hint
	}

	// Serving says what listens on the node's HTTP port, inside its container, from
	// now on, and which addresses are new.
	Serving struct {
		RunID
		Is   orchestrator.Serving
		News []manifest.LoopbackNews
	}

	// Lost says that the distribution connection to the node broke.
	Lost struct {
		RunID
		Reason string
	}

	// PeerEvent says that the node saw another connect or disconnect.
	PeerEvent struct {
		RunID
		Event erldist.NodeEvent
	}

	// Connected ends [Connect]; Trouble explains the pairs that did not connect.
	Connected struct {
		RunID
		Trouble map[string]string
	}

	// Mesh is the result of [Sweep]: which nodes see which.
	Mesh struct{ Sees map[string]Sight }

	// Examined is the result of [Postmortem].
	Examined struct {
		RunID
		Findings
	}

	// Command is a request of a user.
	Command struct {
		Kind   CommandKind
		Nodes  []string
		Signal string
		Spec   *orchestrator.Spec // of [CmdReplace]: with the new build of the node
		Waiter Waiter
	}

	// Force shortens every stop in progress.
	Force struct{}

	// Removed is the result of [Remove].
	Removed struct{ Err error }
)

// Findings are the causes of a run's end in the output, the file system and the engine.
type Findings struct {
	Reason string // the line that explains it; "" if none does
	Slogan string // of the crash dump
	Waits  string // what the run lacked; see Exit.WaitsFor
	Dump   string // the path that the dump was copied to
	OOM    bool
	Crash  *diagnosis.Dump // the contents of the dump; nil if there is none
	// Removing says that the engine is removing the container, or has removed it.
	Removing bool
}

// Sight is the peers that one run of one node sees.
type Sight struct {
	Inc   int
	Peers []string // short names
	Err   error
}

// Waiter is the handle of a caller that waits for a command's result; 0 means none.
type Waiter int

// CommandKind is what a user requests.
type CommandKind int

// The requests.
const (
	CmdStart CommandKind = iota
	CmdStop
	CmdRestart
	CmdReplace
	CmdKill
	CmdPause
	CmdUnpause
	CmdDown
)

func (Tick) isMessage()         {}
func (Subscribed) isMessage()   {}
func (Unsubscribed) isMessage() {}
func (HostChanged) isMessage()  {}
func (Adopted) isMessage()      {}
func (Launched) isMessage()     {}
func (Started) isMessage()      {}
func (Stopped) isMessage()      {}
func (Killed) isMessage()       {}
func (Paused) isMessage()       {}
func (EngineEvent) isMessage()  {}
func (Seen) isMessage()         {}
func (Live) isMessage()         {}
func (Proven) isMessage()       {}
func (Unproven) isMessage()     {}
func (Lost) isMessage()         {}
func (Serving) isMessage()      {}
func (PeerEvent) isMessage()    {}
func (Connected) isMessage()    {}
func (Mesh) isMessage()         {}
func (Examined) isMessage()     {}
func (Command) isMessage()      {}
func (Force) isMessage()        {}
func (Removed) isMessage()      {}

// Request describes a command in words.
func (k CommandKind) Request(signal string) string {
	switch k {
	case CmdStart:
		return "start"
	case CmdStop:
		return "stop"
	case CmdRestart:
		return "restart"
	case CmdReplace:
		return "replace"
	case CmdKill:
		return "kill with SIG" + strings.TrimPrefix(signal, "SIG")
	case CmdPause:
		return "pause"
	case CmdUnpause:
		return "unpause"
	case CmdDown:
		return "down"
	}
	return ""
}
