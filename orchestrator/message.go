package orchestrator

import (
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// A message is an input of the supervisor. The set is sealed: the switch in step names
// each. Reports of asynchronous work carry the incarnation that they are about; stale
// ones are dropped in one place, [supervisor.stale].
type message interface{ isMessage() }

// report is the head of a message about one run of one node.
type report struct {
	node string
	inc  int
}

type (
	// msgTick only carries the time: due timers are handled with any message.
	msgTick struct{}

	// msgSubscribed says that the event stream is open, for the first time or again:
	// earlier changes must be looked up.
	msgSubscribed struct{}

	// msgUnsubscribed says that the event stream broke.
	msgUnsubscribed struct{}

	// msgAdopted reports an existing container of this cluster, as the first message
	// about its node.
	msgAdopted struct {
		node      string
		container Container
		at        placement
	}

	// msgLaunched is the result of actLaunch.
	msgLaunched struct {
		report
		id  string
		at  placement
		err error
	}

	// msgStarted is the result of actStart.
	msgStarted struct {
		report
		err error
	}

	// msgStopped is the result of actStop, when the container has exited.
	msgStopped struct {
		report
		err error
	}

	// msgKilled is the result of actKill.
	msgKilled struct {
		report
		waiter waiter
		err    error
	}

	// msgPaused is the result of actPause.
	msgPaused struct {
		report
		paused bool
		waiter waiter
		err    error
	}

	// msgEvent is an event of the engine, each once and in order. restarted marks events
	// of an engine's start: it stops the containers it finds running.
	msgEvent struct {
		event     ContainerEvent
		restarted bool
	}

	// msgSeen is one container as the engine's list or an inspection shows it; nil if
	// there is none. It shows changes that the events missed.
	msgSeen struct {
		report
		container *Container
	}

	// msgLive says that the node completed the distribution handshake.
	msgLive struct{ report }

	// msgProven says that the application is started and the checks pass.
	msgProven struct{ report }

	// msgUnproven says what is missing, still or again.
	msgUnproven struct {
		report
		reason, hint string
	}

	// msgServing says what listens on the node's HTTP port, inside its container, from
	// now on, and which addresses are new.
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

	// msgPeers says that the node saw another connect or disconnect.
	msgPeers struct {
		report
		event erldist.NodeEvent
	}

	// msgConnected ends actConnect; trouble explains the pairs that did not connect.
	msgConnected struct {
		report
		trouble map[string]string
	}

	// msgMesh is the result of actSweep: which nodes see which.
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

	// msgForce shortens every stop in progress.
	msgForce struct{}

	// msgRemoved ends actRemove.
	msgRemoved struct{ err error }
)

// findings are the causes of a run's end in the output, the file system and the engine.
type findings struct {
	reason string // the line that explains it; "" if none does
	slogan string // of the crash dump
	waits  string // what the run lacked; see Exit.WaitsFor
	dump   string // the path that the dump was copied to
	oom    bool
	crash  *diagnosis.Dump // the contents of the dump; nil if there is none
}

// sight is the peers that one run of one node sees.
type sight struct {
	inc   int
	peers []string // short names
	err   error
}

// waiter is the handle of a caller that waits for a command's result; 0 means none.
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

// An action is work that the supervisor requests. The set is sealed: the switch in
// [Cluster.perform] names each.
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
	actPause struct { // pause it, or unpause it; reply msgPaused
		report
		paused bool
		waiter waiter
	}
	actFollow struct { // read the run's output
		report
		began time.Time // by the engine's clock: older lines belong to an earlier run
	}
	actProbe   struct{ report } // prove it, and keep watching
	actForget  struct{ report } // the run is over: end the goroutines that watch it
	actInspect struct{ report } // ask the engine; reply msgSeen
	actAutopsy struct {         // find out why the run ended; reply msgAutopsy
		report
		code int
	}
	actConnect struct {
		report
		peers []string
	} // connect node and peers; reply msgConnected
	actSweep  struct{}                         // ask all nodes for their peers; reply msgMesh
	actList   struct{ runs map[string]report } // compare these with the engine's list; reply msgSeen for each
	actRemove struct{}                         // remove everything; reply msgRemoved
	actReply  struct {
		waiter waiter
		err    error
	} // answer a command
	actEmit struct{ event Event } // publish an event
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
