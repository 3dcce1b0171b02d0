package supervisor

import (
	"maps"
	"slices"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file is the part of the supervisor that diagnoses problems.

const (
	// AskAfter is how long a node may take to start before it is diagnosed: until then,
	// whatever it lacks may still appear.
	AskAfter = 10 * time.Second
	// AskFirst is earlier: on a running VM, problems that time does not fix are visible
	// by then. They must be found twice, askSure apart, before a cluster is given up
	// because of them.
	AskFirst = 3 * time.Second
	askSure  = 2 * time.Second
	// askAgain is the delay until the next diagnosis, which doubles each time up to
	// askSeldom: a diagnosis may inspect containers, which the engine reports to all its
	// clients as events.
	askAgain  = 10 * time.Second
	askSeldom = 5 * time.Minute
)

type (
	// Diagnose diagnoses these nodes; reply [Diagnosed].
	Diagnose struct{ Snapshots []NodeSnapshot }
	// Diagnosed ends [Diagnose].
	Diagnosed struct {
		Asked map[string]Asked
		Found []orchestrator.Finding
	}
)

func (Diagnose) isAction()   {}
func (Diagnosed) isMessage() {}

// Asked is the state of a node when its diagnosis was requested: findings about another
// run or another state are stale.
type Asked struct {
	RunID
	State orchestrator.State
}

// NodeSnapshot is a node as the supervisor knows it, for the diagnosis.
type NodeSnapshot struct {
	RunID
	ID       string // of its container
	State    orchestrator.State
	Reason   string
	Paused   bool
	Since    time.Time // when its run began
	WasReady bool
	Unwell   time.Time // it was Ready until then
	Exit     *orchestrator.Exit
	Dump     *diagnosis.Dump
	StartErr error
	Peers    []string          // the peers that it sees
	Missing  map[string]string // missing peers, with the reason if known
	Apart    []string          // peers that it is disconnected from on purpose: what it logs about them is expected
}

// askWhy schedules a diagnosis for that time, unless an earlier one is scheduled.
func (s *Supervisor) askWhy(at time.Time) {
	if s.why.at.IsZero() || at.Before(s.why.at) {
		s.why.at = at
	}
}

// askAt returns when the next diagnosis is due; zero if none is. There is one at a time,
// once every end is classified.
func (s *Supervisor) askAt() time.Time {
	judging := slices.ContainsFunc(s.nodes, func(m *member) bool { return m.ending != nil })
	if s.closing() || s.why.running || judging {
		return time.Time{}
	}
	return s.why.at
}

func (s *Supervisor) ask() {
	if at := s.askAt(); at.IsZero() || s.now.Before(at) {
		return
	}
	s.why = sweepState{running: true}
	s.do(Diagnose{s.snapshots()})
	for _, m := range s.nodes {
		m.diagnosed, m.undiagnosed = true, nil
	}
}

// snapshots returns the nodes for a diagnosis, as they are. A node that crashed and was
// started again before its end was diagnosed is shown as it ended: a restart may follow
// at once, as the backoff counts from the end.
func (s *Supervisor) snapshots() []NodeSnapshot {
	snapshots := make([]NodeSnapshot, len(s.nodes))
	for i, m := range s.nodes {
		if last := m.undiagnosed; last != nil && m.startedSince(Asked{last.RunID, last.State}) {
			snapshots[i] = *last
			continue
		}
		snapshots[i] = s.snapshot(m)
	}
	return snapshots
}

func (s *Supervisor) snapshot(m *member) NodeSnapshot {
	n := NodeSnapshot{
		RunID: m.report(), ID: m.id, State: m.state, Reason: m.reason, Paused: m.paused, Since: m.beganAt, WasReady: m.wasReady, Unwell: m.unwell,
		Exit: m.lastExit, Dump: m.dump, StartErr: m.startErr, Peers: m.peers.names, Missing: map[string]string{},
		Apart: slices.Sorted(maps.Keys(m.everDisconnected)),
	}
	if m.onlyDisconnected { // it is as healthy as it can be
		n.State, n.Reason = orchestrator.Ready, ""
	}
	if m.state.Running() {
		n.Exit = nil // from the previous run
	}
	if !m.begun { // its container is about to start
		n.Since = s.now
	}
	for _, p := range s.missing(m) {
		n.Missing[p.name] = m.trouble[p.name]
	}
	return n
}

// diagnosed handles the findings. It reports the new ones, and schedules another
// diagnosis while a node is not healthy.
func (s *Supervisor) diagnosed(msg Diagnosed) {
	s.why.running = false
	for _, m := range s.nodes {
		if m.state == orchestrator.Ready || m.onlyDisconnected || fault.CutFromHost(s.faults, m.name) != "" {
			continue
		}
		found := orchestrator.FindingsFor(msg.Found, m.name)
		if len(s.faults) == 0 { // healed during the diagnosis
			found = withoutFaults(found)
		}
		now := Asked{m.report(), m.state}
		switch was := msg.Asked[m.name]; {
		case was == now, s.doomedBefore(m, msg):
			m.found = found
			s.doom(m)
		case !m.startedSince(was):
			continue
		}
		s.emitFindings(m, found)
	}
	if slices.ContainsFunc(s.nodes, func(m *member) bool {
		return m.state == orchestrator.Starting || m.state == orchestrator.Degraded && !m.onlyDisconnected
	}) {
		s.askDelay = min(max(2*s.askDelay, askAgain), askSeldom)
		s.askWhy(s.now.Add(s.askDelay))
	}
	s.askStarting()
}

// startedSince reports whether a node crashed then and is starting now: on a busy machine,
// the reason of the crash is found only after the restart.
func (m *member) startedSince(was Asked) bool {
	return was.State == orchestrator.BackingOff && was.Inc == m.inc-1 && m.state == orchestrator.Starting
}

// emitFindings reports the root causes that were not reported yet.
func (s *Supervisor) emitFindings(m *member, found []orchestrator.Finding) {
	for _, f := range orchestrator.RootCauses(found) {
		if f.Node == m.name && !slices.Contains(m.told, f.Code) { // its text may differ each time
			m.told = append(m.told, f.Code)
			s.do(Emit{manifest.FindingEvent(f)})
		}
	}
}

// suspected schedules a diagnosis because of a node's new state.
func (s *Supervisor) suspected(m *member, state orchestrator.State) {
	s.askDelay, m.diagnosed = 0, false
	switch state {
	case orchestrator.Degraded:
		if m.onlyDisconnected {
			return // already known
		}
		m.unwell = s.now
		s.askWhy(s.now)
	case orchestrator.Failed, orchestrator.Completed, orchestrator.BackingOff:
		s.askWhy(s.now)
	case orchestrator.Starting:
		s.askWhy(s.now.Add(AskFirst))
	case orchestrator.Ready:
		m.onlyDisconnected = false
		m.found, m.told, m.unwell, m.wasReady = nil, nil, time.Time{}, true
	case orchestrator.Stopping:
		m.found = nil // a requested stop is not a failure
	case orchestrator.Stopped:
		m.found = nil
		if m.lastExit != nil && m.lastExit.Class == orchestrator.ExitStopped && m.lastExit.Code != 0 && !s.force {
			s.askWhy(s.now) // it did not stop by itself
		}
	case orchestrator.Pending, orchestrator.Creating, orchestrator.Running, orchestrator.Unreachable:
	}
}

// troubled records why a node did not reach its peers.
func (m *member) troubled(trouble map[string]string) {
	m.trouble = maps.Clone(trouble)
}
