package orchestrator

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// This file is the part of the supervisor that asks why something is wrong.

const (
	// askAfter is how long a node may start before it is asked why it does not
	// get on: until then what it lacks is on its way. askAgain is how long after the
	// answer it is asked once more, and twice that after the next one, up to
	// askSeldom: each question may look into containers, which the engine tells
	// everybody as events.
	//
	// askFirst is earlier: what time does not cure can be seen by then, on a VM that runs.
	// It is seen twice, askSure apart, before a cluster is given up for it.
	askFirst  = 3 * time.Second
	askSure   = 2 * time.Second
	askAfter  = 10 * time.Second
	askAgain  = 10 * time.Second
	askSeldom = 5 * time.Minute
)

type (
	// actDiagnose asks what is wrong with these nodes; reply msgDiagnosed.
	actDiagnose struct{ suspects []suspect }
	// msgDiagnosed ends actDiagnose.
	msgDiagnosed struct {
		asked map[string]asked
		found []diagnosis.Finding
	}
)

func (actDiagnose) isAction()   {}
func (msgDiagnosed) isMessage() {}

// asked is what a node was when it was asked about: what is said of another run, or
// of another state, is stale.
type asked struct {
	report
	state State
}

// suspect is a node as the supervisor knows it, for who looks what is wrong.
type suspect struct {
	report
	id       string // of its container
	state    State
	reason   string
	paused   bool
	since    time.Time // its run began
	wasReady bool
	unwell   time.Time // it was Ready until then
	exit     *Exit
	dump     *diagnosis.Dump
	startErr error
	peers    []string          // that it sees
	missing  map[string]string // peers, with why, where that is known
	apart    []string          // peers that it was cut off from on purpose: what it says of them is no news
}

// askWhy has the nodes looked at soon, or at that time at the latest.
func (s *supervisor) askWhy(at time.Time) {
	if s.why.at.IsZero() || at.Before(s.why.at) {
		s.why.at = at
	}
}

// askAt is when the next question is due; zero where there is none. There is one
// at a time, once every end is understood.
func (s *supervisor) askAt() time.Time {
	judging := slices.ContainsFunc(s.nodes, func(m *member) bool { return m.ending != nil })
	if s.closing() || s.why.running || judging {
		return time.Time{}
	}
	return s.why.at
}

func (s *supervisor) ask() {
	if at := s.askAt(); at.IsZero() || s.now.Before(at) {
		return
	}
	s.why = sweepState{running: true}
	s.do(actDiagnose{s.suspects()})
}

func (s *supervisor) suspects() []suspect {
	suspects := make([]suspect, len(s.nodes))
	for i, m := range s.nodes {
		suspects[i] = suspect{
			report: m.report(), id: m.id, state: m.state, reason: m.reason, paused: m.paused, since: m.beganAt, wasReady: m.wasReady, unwell: m.unwell,
			exit: m.lastExit, dump: m.dump, startErr: m.startErr, peers: sortedKeys(m.peers), missing: map[string]string{},
			apart: sortedKeys(m.everApart),
		}
		if m.cutOff { // it is as well as it can be
			suspects[i].state, suspects[i].reason = Ready, ""
		}
		if m.state.Running() {
			suspects[i].exit = nil // of the run before
		}
		if !m.begun { // its container is about to start
			suspects[i].since = s.now
		}
		for _, p := range s.missing(m) {
			suspects[i].missing[p.name] = m.trouble[p.name]
		}
	}
	return suspects
}

// diagnosed takes the answer, tells what is new in it, and asks again later while
// a node does not get on.
func (s *supervisor) diagnosed(msg msgDiagnosed) {
	s.why.running = false
	for _, m := range s.nodes {
		if now := (asked{m.report(), m.state}); msg.asked[m.name] != now && !s.doomedBefore(m, msg) || m.state == Ready || m.cutOff {
			continue
		}
		m.found = diagnosis.For(msg.found, m.name)
		s.doom(m)
		for _, f := range diagnosis.Roots(m.found) {
			if f.Node == m.name && !slices.Contains(m.told, f.Code) { // its words may change with every look
				m.told = append(m.told, f.Code)
				s.do(actEmit{Event{Node: m.name, Kind: EventFinding, Text: findingText(f), Finding: &f}})
			}
		}
	}
	if slices.ContainsFunc(s.nodes, func(m *member) bool { return m.state == Starting || m.state == Degraded && !m.cutOff }) {
		s.askDelay = min(max(2*s.askDelay, askAgain), askSeldom)
		s.askWhy(s.now.Add(s.askDelay))
	}
	s.askStarting()
}

// findingText is a finding in a line: what is wrong, and what to type first.
func findingText(f diagnosis.Finding) string {
	text := f.String()
	for _, solution := range f.Solutions {
		if solution.Command != "" {
			return fmt.Sprintf("%s; try: %s", text, solution.Command)
		}
	}
	return text
}

// suspected asks because of a state that a node has from now on.
func (s *supervisor) suspected(m *member, state State) {
	s.askDelay = 0
	switch state {
	case Degraded:
		if m.cutOff {
			return // that is known
		}
		m.unwell = s.now
		s.askWhy(s.now)
	case Failed, Completed, BackingOff:
		s.askWhy(s.now)
	case Starting:
		s.askWhy(s.now.Add(askFirst))
	case Ready:
		m.cutOff = false
		m.found, m.told, m.unwell, m.wasReady = nil, nil, time.Time{}, true
	case Stopping:
		m.found = nil // somebody wants it down: that is no failure
	case Stopped:
		m.found = nil
		if m.lastExit != nil && m.lastExit.Class == ExitStopped && m.lastExit.Code != 0 && !s.force {
			s.askWhy(s.now) // it did not stop by itself
		}
	case Pending, Creating:
	}
}

// blame puts what was found at the end into the cause of it.
func blame(cause error, found []diagnosis.Finding) {
	if e, ok := cause.(*ClusterError); ok { //nolint:errorlint // the supervisor's own, unwrapped
		e.Problems = slices.Clone(e.Problems)
		for i, p := range e.Problems {
			e.Problems[i].Findings = diagnosis.For(found, p.Node)
		}
	}
}

// troubled notes why a node did not reach its peers.
func (m *member) troubled(trouble map[string]string) {
	m.trouble = maps.Clone(trouble)
}
