package orchestrator

import (
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// A message is something that the supervisor is told. The set is sealed: the
// switch in step names each. Reports of asynchronous work carry the
// incarnation that they are about; stale ones are dropped in one place,
// [supervisor.stale].
type message interface{ isMessage() }

// report is the head of a message about one run of one node.
type report struct {
	node string
	inc  int
}

type (
	// msgTick only brings the time: due timers are handled with any message.
	msgTick struct{}

	// msgSubscribed says that the event stream is open, for the first time or
	// again: what happened before must be looked up.
	msgSubscribed struct{}

	// msgUnsubscribed says that the event stream broke.
	msgUnsubscribed struct{}

	// msgAdopted tells of a container of this cluster that exists already, as
	// the first message about its node.
	msgAdopted struct {
		node      string
		container Container
		at        placement
	}

	// msgLaunched is the outcome of actLaunch.
	msgLaunched struct {
		report
		id  string
		at  placement
		err error
	}

	// msgStarted is the outcome of actStart.
	msgStarted struct {
		report
		err error
	}

	// msgStopped is the outcome of actStop, when the container has exited.
	msgStopped struct {
		report
		err error
	}

	// msgKilled is the outcome of actKill.
	msgKilled struct {
		report
		waiter waiter
		err    error
	}

	// msgPaused is the outcome of actPause.
	msgPaused struct {
		report
		paused bool
		waiter waiter
		err    error
	}

	// msgEvent is an event of the engine, each once and in order. restarted
	// marks those of an engine's start: it stops what it finds running.
	msgEvent struct {
		event     ContainerEvent
		restarted bool
	}

	// msgSeen is one container as the engine shows it when asked; nil when it
	// has none. It finds what the events did not tell.
	msgSeen struct {
		report
		container *Container
	}

	// msgLive says that the node completed the distribution handshake.
	msgLive struct{ report }

	// msgProven says that the application is started and the checks pass.
	msgProven struct{ report }

	// msgUnproven says what is still missing, or missing again.
	msgUnproven struct {
		report
		reason, hint string
	}

	// msgServing says what is at the node's HTTP port, inside its container, from now
	// on, and of which addresses that is news.
	msgServing struct {
		report
		is   Serving
		news []loopbackNews
	}

	// msgLost says that the distribution connection to the node broke.
	msgLost struct {
		report
		reason string
	}

	// msgPeers says that the node saw another come or go.
	msgPeers struct {
		report
		event erldist.NodeEvent
	}

	// msgConnected ends actConnect; trouble explains pairs that did not meet.
	msgConnected struct {
		report
		trouble map[string]string
	}

	// msgMesh is the outcome of actSweep: who sees whom.
	msgMesh struct{ sees map[string]sight }

	// msgAutopsy ends actAutopsy.
	msgAutopsy struct {
		report
		findings
	}

	// msgCommand is a request of a user.
	msgCommand struct {
		kind   commandKind
		nodes  []string
		signal string
		waiter waiter
	}

	// msgForce shortens every stop that is under way.
	msgForce struct{}

	// msgRemoved ends actRemove.
	msgRemoved struct{ err error }
)

// findings are what the output, the disk and the engine say of a run's end.
type findings struct {
	reason string // the line that tells why, "" where none does
	slogan string // of the crash dump
	waits  string // what it ended for want of; see Exit.WaitsFor
	dump   string // where that was copied to
	oom    bool
	crash  *diagnosis.Dump // what the dump says; nil where there is none
}

// sight is what one run of one node sees.
type sight struct {
	inc   int
	peers []string // short names
	err   error
}

// waiter is the handle of somebody who waits for a command's outcome; 0 is
// nobody.
type waiter int

type commandKind int

const (
	cmdStart commandKind = iota
	cmdStop
	cmdRestart
	cmdKill
	cmdPause
	cmdUnpause
	cmdDown
)

func (msgTick) isMessage()         {}
func (msgSubscribed) isMessage()   {}
func (msgUnsubscribed) isMessage() {}
func (msgAdopted) isMessage()      {}
func (msgLaunched) isMessage()     {}
func (msgStarted) isMessage()      {}
func (msgStopped) isMessage()      {}
func (msgKilled) isMessage()       {}
func (msgPaused) isMessage()       {}
func (msgEvent) isMessage()        {}
func (msgSeen) isMessage()         {}
func (msgLive) isMessage()         {}
func (msgProven) isMessage()       {}
func (msgUnproven) isMessage()     {}
func (msgLost) isMessage()         {}
func (msgServing) isMessage()      {}
func (msgPeers) isMessage()        {}
func (msgConnected) isMessage()    {}
func (msgMesh) isMessage()         {}
func (msgAutopsy) isMessage()      {}
func (msgCommand) isMessage()      {}
func (msgForce) isMessage()        {}
func (msgRemoved) isMessage()      {}

// An action is something that the supervisor wants done. The set is sealed:
// the switch in [Cluster.perform] names each.
type action interface{ isAction() }

type (
	actLaunch struct{ report } // create the container and start it
	actStart  struct{ report } // start the container again
	actStop   struct {
		report
		grace time.Duration
	} // stop it; reply msgStopped
	actKill struct {
		report
		signal string
		waiter waiter
	}
	actPause struct { // freeze it, or have it go on; reply msgPaused
		report
		paused bool
		waiter waiter
	}
	actFollow struct { // read the run's output
		report
		began time.Time // by the engine's clock: what is older is an earlier run's
	}
	actProbe   struct{ report } // prove it, and go on watching
	actForget  struct{ report } // the run is over: end what watches it
	actInspect struct{ report } // ask the engine; reply msgSeen
	actAutopsy struct {         // look why the run ended; reply msgAutopsy
		report
		code int
	}
	actConnect struct {
		report
		peers []string
	} // connect node and peers; reply msgConnected
	actSweep  struct{}                         // ask all who they see; reply msgMesh
	actList   struct{ runs map[string]report } // compare these with the engine's list; reply msgSeen for each
	actRemove struct{}                         // remove everything; reply msgRemoved
	actReply  struct {
		waiter waiter
		err    error
	} // answer a command
	actEmit struct{ event Event } // tell the world
	actMark struct {
		report
		text string
	} // a line of our own in the node's output
	actDone struct{ err error } // the cluster is over
)

func (actLaunch) isAction()  {}
func (actStart) isAction()   {}
func (actStop) isAction()    {}
func (actKill) isAction()    {}
func (actPause) isAction()   {}
func (actFollow) isAction()  {}
func (actProbe) isAction()   {}
func (actForget) isAction()  {}
func (actInspect) isAction() {}
func (actAutopsy) isAction() {}
func (actConnect) isAction() {}
func (actSweep) isAction()   {}
func (actList) isAction()    {}
func (actRemove) isAction()  {}
func (actReply) isAction()   {}
func (actEmit) isAction()    {}
func (actMark) isAction()    {}
func (actDone) isAction()    {}
