package orchestrator

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// This file is the part of the supervisor that diagnoses problems.

const (
	// askAfter is how long a node may take to start before it is diagnosed: until then,
	// whatever it lacks may still appear. askAgain is the delay until the next diagnosis,
	// which doubles each time up to askSeldom: a diagnosis may inspect containers, which
	// the engine reports to all its clients as events.
	//
	// askFirst is earlier: on a running VM, problems that time does not fix are visible
	// by then. They must be found twice, askSure apart, before a cluster is given up
	// because of them.
	askFirst  = 3 * time.Second
	askSure   = 2 * time.Second
	askAfter  = 10 * time.Second
	askAgain  = 10 * time.Second
	askSeldom = 5 * time.Minute
)

type (
	// actDiagnose diagnoses these nodes; reply msgDiagnosed.
	actDiagnose struct{ snapshots []nodeSnapshot }
	// msgDiagnosed ends actDiagnose.
	msgDiagnosed struct {
		asked map[string]asked
		found []diagnosis.Finding
	}
)

func (actDiagnose) isAction()   {}
func (msgDiagnosed) isMessage() {}

// asked is the state of a node when its diagnosis was requested: findings about another
// run or another state are stale.
type asked struct {
	report
	state State
}

// nodeSnapshot is a node as the supervisor knows it, for the diagnosis.
type nodeSnapshot struct {
	report
	id       string // of its container
	state    State
	reason   string
	paused   bool
	since    time.Time // when its run began
	wasReady bool
	unwell   time.Time // it was Ready until then
	exit     *Exit
	dump     *diagnosis.Dump
	startErr error
	peers    []string          // the peers that it sees
	missing  map[string]string // missing peers, with the reason if known
	apart    []string          // peers that it is disconnected from on purpose: what it logs about them is expected
}

// askWhy schedules a diagnosis for that time, unless an earlier one is scheduled.
func (s *supervisor) askWhy(at time.Time) {
	if s.why.at.IsZero() || at.Before(s.why.at) {
		s.why.at = at
	}
}

// askAt returns when the next diagnosis is due; zero if none is. There is one at a time,
// once every end is classified.
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
	s.do(actDiagnose{s.snapshots()})
}

func (s *supervisor) snapshots() []nodeSnapshot {
	snapshots := make([]nodeSnapshot, len(s.nodes))
	for i, m := range s.nodes {
		snapshots[i] = nodeSnapshot{
			report: m.report(), id: m.id, state: m.state, reason: m.reason, paused: m.paused, since: m.beganAt, wasReady: m.wasReady, unwell: m.unwell,
			exit: m.lastExit, dump: m.dump, startErr: m.startErr, peers: sortedKeys(m.peers), missing: map[string]string{},
			apart: sortedKeys(m.everApart),
		}
		if m.cutOff { // it is as healthy as it can be
			snapshots[i].state, snapshots[i].reason = Ready, ""
		}
		if m.state.Running() {
			snapshots[i].exit = nil // from the previous run
		}
		if !m.begun { // its container is about to start
			snapshots[i].since = s.now
		}
		for _, p := range s.missing(m) {
			snapshots[i].missing[p.name] = m.trouble[p.name]
		}
	}
	return snapshots
}

// diagnosed handles the findings. It reports the new ones, and schedules another
// diagnosis while a node is not healthy.
func (s *supervisor) diagnosed(msg msgDiagnosed) {
	s.why.running = false
	for _, m := range s.nodes {
		if now := (asked{m.report(), m.state}); msg.asked[m.name] != now && !s.doomedBefore(m, msg) || m.state == Ready || m.cutOff {
			continue
		}
		m.found = diagnosis.For(msg.found, m.name)
		s.doom(m)
		for _, f := range diagnosis.Roots(m.found) {
			if f.Node == m.name && !slices.Contains(m.told, f.Code) { // its text may differ each time
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

// findingText returns a finding in one line: what is wrong, and what to type first.
func findingText(f diagnosis.Finding) string {
	text := f.String()
	for _, solution := range f.Solutions {
		if solution.Command != "" {
			return fmt.Sprintf("%s; try: %s", text, solution.Command)
		}
	}
	return text
}

// suspected schedules a diagnosis because of a node's new state.
func (s *supervisor) suspected(m *member, state State) {
	s.askDelay = 0
	switch state {
	case Degraded:
		if m.cutOff {
			return // already known
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
		m.found = nil // a requested stop is not a failure
	case Stopped:
		m.found = nil
		if m.lastExit != nil && m.lastExit.Class == ExitStopped && m.lastExit.Code != 0 && !s.force {
			s.askWhy(s.now) // it did not stop by itself
		}
	case Pending, Creating:
	}
}

// blame adds the last findings to the cause of a cluster's failure.
func blame(cause error, found []diagnosis.Finding) {
	if e, ok := cause.(*ClusterError); ok { //nolint:errorlint // the supervisor's own, unwrapped
		e.Problems = slices.Clone(e.Problems)
		for i, p := range e.Problems {
			e.Problems[i].Findings = diagnosis.For(found, p.Node)
		}
	}
}

// troubled records why a node did not reach its peers.
func (m *member) troubled(trouble map[string]string) {
	m.trouble = maps.Clone(trouble)
}
