package orchestrator

import (
	"fmt"
	"strings"
	"time"
)

const (
	// holdExit is how long an end after a signal from outside waits for the event that
	// explains it: `docker stop` emits its event before or after the death, and `docker
	// rm -f` is a kill, a death and then a destroy.
	holdExit = 300 * time.Millisecond
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
	// connectSoon and connectLate bound the delay between two attempts of a node to
	// connect to missing peers.
	connectSoon = 50 * time.Millisecond
	connectLate = time.Second
)

// supervisor makes the decisions. step is pure: no I/O, no lock, no clock; the caller
// provides the random numbers for the jitter.
type supervisor struct {
	spec   Spec
	host   string // where the engine's published ports are dialled; known after the engine was queried
	inside bool   // this process runs in a container that is attached to the cluster's network
	random func() float64
	nodes  []*member // in the order of the spec
	byName map[string]*member

	subscribed bool      // the event stream is open
	formed     bool      // every node has been Ready at once
	deadline   time.Time // for forming; zero if there is none
	listAt     time.Time
	sweep      sweepState
	sightedAt  time.Time          // when to sweep, after a node saw another connect or disconnect
	cuts       map[pair]bool      // disconnected on purpose; see partition.go
	healing    map[pair]time.Time // to be reconnected, in any mesh mode; excused until then
	cutWaiters []cutWaiter
	saidOf     map[string]bool // the loopback addresses that were reported
	why        sweepState      // the state of the diagnosis
	askDelay   time.Duration   // the delay until the next diagnosis

	down     bool  // everything is being stopped and removed
	force    bool  // without the stop timeout
	removing bool  // actRemove is in progress
	over     bool  // actDone was issued
	cause    error // why it is taken down, if not by request
	downers  []waiter

	collecting bool // actCollect is in progress

	now time.Time
	out []action
}

type sweepState struct {
	running, again bool
	at             time.Time
}

func newSupervisor(s Spec, random func() float64) *supervisor {
	sup := &supervisor{spec: s, random: random, byName: map[string]*member{}, saidOf: map[string]bool{}, cuts: map[pair]bool{}, healing: map[pair]time.Time{}}
	for i, n := range s.Nodes {
		m := &member{name: n.Name, index: i, state: Pending}
		sup.nodes = append(sup.nodes, m)
		sup.byName[n.Name] = m
	}
	return sup
}

// begin launches every node that was not adopted. forming sets a deadline.
func (s *supervisor) begin(now time.Time, forming bool) []action {
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

// step handles one message and returns the resulting actions.
func (s *supervisor) step(msg message, now time.Time) []action {
	s.now, s.out = now, nil
	if s.over {
		switch msg := msg.(type) {
		case msgCommand:
			s.do(actReply{msg.waiter, ErrClosed})
		case msgCut:
			s.do(actReply{msg.waiter, ErrClosed})
		}
		return s.out
	}
	switch msg := msg.(type) {
	case msgTick:
	case msgSubscribed:
		s.subscribed = true
		s.compare()
		s.engineBack()
	case msgUnsubscribed:
		s.subscribed = false
		s.engineGone()
	case msgAdopted:
		s.adopt(msg)
	case msgLaunched:
		if m, stale := s.stale(msg.report); !stale {
			m.id, m.at = msg.id, msg.at
			s.launched(m, msg.err)
		}
	case msgStarted:
		if m, stale := s.stale(msg.report); !stale {
			s.launched(m, msg.err)
		}
	case msgStopped:
		s.stopped(msg)
	case msgKilled:
		s.do(actReply{msg.waiter, msg.err})
	case msgPaused:
		s.paused(msg)
	case msgCut:
		s.cut(msg)
	case msgHalfSet:
		s.halfSet(msg)
	case msgEvent:
		s.engineEvent(msg.event, msg.restarted)
	case msgSeen:
		s.seen(msg)
	case msgLive:
		s.alive(msg)
	case msgProven:
		if m, stale := s.stale(msg.report); !stale && m.live {
			m.proven = true
			s.sweepNow()
		}
	case msgUnproven:
		s.unproven(msg)
	case msgServing:
		s.serves(msg)
	case msgLost:
		s.lost(msg)
	case msgPeers:
		s.sighted(msg)
	case msgConnected:
		s.connected(msg)
	case msgMesh:
		s.swept(msg)
	case msgAutopsy:
		if m, stale := s.stale(msg.report); !stale && m.ending != nil {
			m.ending.autopsy, m.ending.findings = true, msg.findings
			m.oom = m.oom || msg.oom
		}
	case msgCommand:
		s.command(msg)
	case msgCollected:
		blame(s.cause, msg.found)
		s.collected()
	case msgDiagnosed:
		s.diagnosed(msg)
	case msgForce:
		s.forceStops()
		s.collected()
	case msgRemoved:
		s.removed(msg.err)
	}
	s.settle()
	return s.out
}

func (s *supervisor) do(a action) { s.out = append(s.out, a) }

// settle draws the conclusions that are due after any message: ends to be judged,
// restarts, proofs, the deadline, the end of the cluster.
func (s *supervisor) settle() {
	if s.over { // the message itself ended it
		return
	}
	for _, m := range s.nodes {
		if e := m.ending; e != nil && e.autopsy && !s.now.Before(e.until) {
			s.judge(m)
		}
	}
	s.setHalves()
	s.answerCuts()
	s.evaluate()
	s.release()
	s.checkForming()
	s.checkFailed()
	if s.over {
		return
	}
	for _, m := range s.nodes { // after it is certain that the cluster stays up
		if m.state == BackingOff && m.busy == idle && !m.restart.IsZero() && !s.now.Before(m.restart) && !s.collecting {
			s.startAgain(m)
		}
	}
	if !s.listAt.IsZero() && !s.now.Before(s.listAt) && !s.removing {
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

// wake returns when step must be called again with msgTick; zero for never.
func (s *supervisor) wake() time.Time {
	var next time.Time
	add := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if s.over {
		return next
	}
	if !s.removing {
		add(s.listAt)
		add(s.sweep.at)
		add(s.sightedAt)
	}
	if !s.formed && !s.closing() {
		add(s.deadline)
	}
	add(s.askAt())
	for _, m := range s.nodes {
		if m.state == BackingOff && m.busy == idle && !s.collecting {
			add(m.restart)
		}
		if m.ending != nil && m.ending.autopsy {
			add(m.ending.until)
		}
		if (m.state == Ready || m.cutOff) && !m.readyGraceUntil.IsZero() {
			add(m.readyGraceUntil)
		}
		add(s.halfAt(m))
	}
	return next
}

// setState changes a node's state and reports the change.
func (s *supervisor) setState(m *member, state State, reason, hint string) {
	changed := m.state != state
	m.state, m.reason, m.hint = state, reason, hint
	m.cutOff = m.cutOff && state == Degraded
	if !changed {
		return
	}
	s.suspected(m, state)
	text := fmt.Sprintf("%s %s", m.name, state)
	if reason != "" {
		text += ": " + reason
	}
	s.do(actEmit{Event{Node: m.name, Kind: EventState, State: state, Text: text}})
}

func (s *supervisor) emit(kind EventKind, node, format string, args ...any) {
	s.do(actEmit{Event{Node: node, Kind: kind, Text: fmt.Sprintf(format, args...)}})
}

// snapshot returns the cluster's state for users.
func (s *supervisor) snapshot(now time.Time) (nodes []NodeStatus, ready bool) {
	for _, m := range s.nodes {
		st := m.status(s.spec, s.host, now)
		if s.inside && st.URL != "" { // the engine's ports are published on its host, which is not this container
			st.URL = "http://" + hostPort(st.IP.String(), s.spec.HTTPPort)
		}
		for _, p := range s.cutFrom(m) {
			st.Cut = append(st.Cut, p.name)
		}
		nodes = append(nodes, st)
	}
	return nodes, s.ready()
}

// count returns "1 node", "3 nodes".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// plural returns the form of a word for a number.
func plural(n uint64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func joinNames(nodes []*member) string {
	var names []string
	for _, m := range nodes {
		names = append(names, m.name)
	}
	return strings.Join(names, ", ")
}
