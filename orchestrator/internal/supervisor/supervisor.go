package supervisor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/relocation"
)

const (
	// holdExit is how long an end after a signal from outside waits for the event that
	// explains it: `docker stop` emits its event before or after the death, and `docker
	// rm -f` is a kill, a death and then a destroy.
	holdExit = 300 * time.Millisecond
	// holdRemoval is how long an end waits for the event of a removal that the engine has
	// begun: on a slow disk it deletes the container's files for seconds.
	holdRemoval = 10 * time.Second
	// readyGrace is how long a Ready node that lost its connection stays Ready: its death is
	// usually reported within that time.
	readyGrace = 300 * time.Millisecond
	// listEvery is the interval of list-and-compare at rest: engines drop events under
	// load.
	listEvery = 30 * time.Second
	// sightEach, times the number of nodes, is how long a node's observation waits for
	// those of the others.
	sightEach = 10 * time.Millisecond
	// sweepEvery is the interval of mesh checks at rest, with one call for each node.
	sweepEvery = 5 * time.Second
	// shutdown is how long a stopping engine may take between the stop of the first
	// container and the end of its event stream.
	shutdown = 15 * time.Second
)

// Supervisor makes the decisions. step is pure: no I/O, no lock, no clock; the caller
// provides the random numbers for the jitter.
type Supervisor struct {
	spec   orchestrator.Spec
	host   string // where the engine's published ports are dialled; known after the engine was queried
	inside bool   // this process runs in a container that is attached to the cluster's network
	random func() float64
	nodes  []*member // in the order of the spec
	byName map[string]*member

	subscribed       bool             // the event stream is open
	hosts            relocation.Hosts // which do not answer; see move.go
	formed           bool             // every node has been Ready at once
	deadline         time.Time        // for forming; zero if there is none
	listAt           time.Time
	sweep            sweepState
	sightedAt        time.Time          // when to sweep, after a node saw another connect or disconnect
	disconnected     map[pair]bool      // disconnected on purpose; see partition.go
	faults           []fault.Fault      // in force; see faults.go
	cut              map[pair]string    // pairs that a fault cuts, with its ID
	cutByVMs         map[pair]bool      // those of them whose VMs refuse each other
	healing          map[pair]time.Time // to be reconnected, in any mesh mode; exempt until then
	partitionWaiters []partitionWaiter
	saidOf           map[string]bool // the loopback addresses that were reported
	why              sweepState      // the state of the diagnosis
	askDelay         time.Duration   // the delay until the next diagnosis

	phase   phase
	force   bool  // stop without the stop timeout
	cause   error // why it is taken down, if not by request
	downers []Waiter

	now time.Time
	out []Action
}

// phase is how far the end of the cluster has come. It only grows.
type phase int

const (
	phaseActive   phase = iota // nodes are started and restarted
	phaseFailing               // Collect is in progress: nothing is started, stopped or removed
	phaseStopping              // the nodes are being stopped
	phaseRemoving              // Remove is in progress
	phaseOver                  // Done was issued
)

// closing reports whether the cluster is ending: no node is started then.
func (s *Supervisor) closing() bool { return s.phase != phaseActive }

// goingDown reports whether the nodes are being stopped, or have been.
func (s *Supervisor) goingDown() bool { return s.phase >= phaseStopping }

type sweepState struct {
	running, again bool
	at             time.Time
}

// New returns the supervisor of a cluster that has not begun. random returns numbers in
// [0,1) for the jitter of restarts.
func New(s orchestrator.Spec, random func() float64) *Supervisor {
	s.Nodes = slices.Clone(s.Nodes)
	sup := &Supervisor{spec: s, random: random, byName: map[string]*member{}, saidOf: map[string]bool{}, disconnected: map[pair]bool{}, healing: map[pair]time.Time{}}
	for i, n := range s.Nodes {
		m := &member{name: n.Name, index: i, state: orchestrator.Pending}
		sup.nodes = append(sup.nodes, m)
		sup.byName[n.Name] = m
	}
	return sup
}

// Configure sets what was not known when the supervisor was made: the spec with its image,
// the host where the engine's published ports are dialled, and whether this process runs in
// a container that is attached to the cluster's network.
func (s *Supervisor) Configure(spec orchestrator.Spec, host string, inside bool) {
	spec.Nodes = slices.Clone(spec.Nodes) // moves change their hosts
	s.host, s.inside = host, inside
	s.setSpec(spec)
}

func (s *Supervisor) setSpec(spec orchestrator.Spec) {
	s.spec = spec
	for _, m := range s.nodes {
		m.place(m.at)
	}
}

// Begin launches every node that was not adopted. forming sets a deadline.
func (s *Supervisor) Begin(now time.Time, forming bool) []Action {
	s.now, s.out = now, nil
	s.formed = !forming
	if forming {
		s.deadline = now.Add(s.spec.ReadyTimeout)
	}
	s.listAt = now.Add(listEvery)
	s.hold()
	s.settle()
	return s.out
}

// Step handles one message and returns the resulting actions.
func (s *Supervisor) Step(msg Message, now time.Time) []Action {
	s.now, s.out = now, nil
	if s.phase == phaseOver {
		switch msg := msg.(type) {
		case Command:
			s.do(Reply{msg.Waiter, orchestrator.ErrClosed})
		case Partition:
			s.do(Reply{msg.Waiter, orchestrator.ErrClosed})
		}
		return s.out
	}
	switch msg := msg.(type) {
	case Tick:
	case Subscribed:
		s.subscribed = true
		s.compare()
		s.engineBack()
	case Unsubscribed:
		s.subscribed = false
		s.engineGone()
	case HostChanged:
		s.hostChanged(msg)
	case Moved:
		s.moved(msg)
	case Discarded:
		s.discarded(msg)
	case Adopted:
		s.adopt(msg)
	case Launched:
		if m, stale := s.stale(msg.RunID); !stale {
			m.id = msg.ID
			m.place(msg.At)
			s.launched(m, msg.Err)
		}
	case Started:
		if m, stale := s.stale(msg.RunID); !stale {
			s.launched(m, msg.Err)
		}
	case Stopped:
		s.stopped(msg)
	case Killed:
		s.do(Reply{msg.Waiter, msg.Err})
	case Paused:
		s.paused(msg)
	case Partition:
		s.partition(msg)
	case FaultsInForce:
		s.faultsChanged(msg.with(s.faults))
	case BlockedSet:
		s.blockedSet(msg)
	case EngineEvent:
		s.engineEvent(msg.Event, msg.Restarted)
	case Seen:
		s.seen(msg)
	case Live:
		s.alive(msg)
	case Proven:
		if m, stale := s.stale(msg.RunID); !stale && m.live {
			if m.proven = true; len(s.missing(m)) > 0 {
				s.sweepNow()
			}
		}
	case Unproven:
		s.unproven(msg)
	case Serving:
		s.serves(msg)
	case Lost:
		s.lost(msg)
	case PeerEvent:
		s.sighted(msg)
	case Connected:
		s.connected(msg)
	case Mesh:
		s.swept(msg)
	case Examined:
		if m, stale := s.stale(msg.RunID); !stale && m.ending != nil {
			m.ending.examined, m.ending.Findings = true, msg.Findings
			m.oom = m.oom || msg.OOM
			if msg.Removing && m.ending.exit.Class == "" {
				m.ending.until = s.now.Add(holdRemoval)
			}
		}
	case Command:
		s.command(msg)
	case Collected:
		manifest.Blame(s.cause, msg.Found)
		s.collected()
	case Diagnosed:
		s.diagnosed(msg)
	case Force:
		s.forceStops()
		s.collected()
	case Removed:
		s.removed(msg.Err)
	}
	s.settle()
	return s.out
}

func (s *Supervisor) do(a Action) { s.out = append(s.out, a) }

// settle draws the conclusions that are due after any message: ends to be judged,
// restarts, proofs, the deadline, the end of the cluster.
func (s *Supervisor) settle() {
	if s.phase == phaseOver { // the message itself ended it
		return
	}
	for _, m := range s.nodes {
		if e := m.ending; e != nil && e.examined && !s.now.Before(e.until) {
			s.judge(m)
		}
	}
	s.endFaults()
	s.sendBlocks()
	s.answerPartitions()
	s.evaluate()
	s.release()
	s.checkForming()
	s.checkFailed()
	if s.phase == phaseOver {
		return
	}
	for _, m := range s.nodes { // after it is certain that the cluster stays up
		if m.state == orchestrator.BackingOff && m.busy == idle && !m.restart.IsZero() && !s.now.Before(m.restart) && s.phase != phaseFailing && s.hostLost(m) == "" {
			s.startAgain(m)
		}
	}
	s.moveLost()
	if !s.listAt.IsZero() && !s.now.Before(s.listAt) && s.phase < phaseRemoving {
		s.listAt = s.now.Add(listEvery)
		s.compare()
	}
	if !s.sweep.at.IsZero() && !s.now.Before(s.sweep.at) {
		s.sweepNow()
	}
	if !s.sightedAt.IsZero() && !s.now.Before(s.sightedAt) {
		s.sightedAt = time.Time{}
		s.sweepNow()
	}
	s.ask()
	s.checkDown()
}

// Wake returns when step must be called again with [Tick]; zero for never.
func (s *Supervisor) Wake() time.Time {
	var next time.Time
	add := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if s.phase == phaseOver {
		return next
	}
	if s.phase < phaseRemoving {
		add(s.listAt)
		add(s.sweep.at)
		add(s.sightedAt)
	}
	if !s.formed && !s.closing() {
		add(s.deadline)
	}
	add(s.askAt())
	add(fault.NextEnd(s.faults))
	for _, m := range s.nodes {
		if m.state == orchestrator.BackingOff && m.busy == idle && s.phase != phaseFailing && s.hostLost(m) == "" {
			add(m.restart)
		}
		if m.ending != nil && m.ending.examined {
			add(m.ending.until)
		}
		if (m.state == orchestrator.Ready || m.onlyDisconnected) && !m.readyGraceUntil.IsZero() {
			add(m.readyGraceUntil)
		}
		add(s.blocksAt(m))
		add(s.movesAt(m))
	}
	return next
}

// setState changes a node's state and reports the change.
func (s *Supervisor) setState(m *member, state orchestrator.State, reason string, next hint.Hint) {
	if m.state == state {
		m.reason, m.hint = reason, next
		return
	}
	s.newState(m, state, reason, next)
}

// newState enters a state and reports it, even if it is the present one.
func (s *Supervisor) newState(m *member, state orchestrator.State, reason string, next hint.Hint) {
	m.state, m.reason, m.hint = state, reason, next
	m.onlyDisconnected = m.onlyDisconnected && state == orchestrator.Degraded
	s.suspected(m, state)
	text := fmt.Sprintf("%s %s", m.name, state)
	if reason != "" {
		text += ": " + reason
	}
	s.do(Emit{orchestrator.Event{Node: m.name, Kind: orchestrator.EventState, State: state, Text: text}})
}

func (s *Supervisor) emit(kind orchestrator.EventKind, node, format string, args ...any) {
	s.do(Emit{orchestrator.Event{Node: node, Kind: kind, Text: fmt.Sprintf(format, args...)}})
}

// advise emits an event with a hint.
func (s *Supervisor) advise(kind orchestrator.EventKind, node string, next hint.Hint, text string) {
	s.do(Emit{orchestrator.Event{Node: node, Kind: kind, Text: text, Hint: next}})
}

// Snapshot returns the cluster's state for users.
func (s *Supervisor) Snapshot(now time.Time) (nodes []orchestrator.NodeStatus, ready bool) {
	nodes = make([]orchestrator.NodeStatus, len(s.nodes))
	for i, m := range s.nodes {
		nodes[i] = s.status(m, now)
	}
	return nodes, s.ready()
}

func namesOf(nodes []*member) (names []string) {
	for _, m := range nodes {
		names = append(names, m.name)
	}
	return names
}

func joinNames(nodes []*member) string { return strings.Join(namesOf(nodes), ", ") }
