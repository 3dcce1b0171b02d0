package supervisor

import (
	"fmt"
	"slices"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/redial"
	"github.com/beamyard/beamyard/orchestrator/internal/restart"
)

// member is one node as the supervisor knows it. Only the supervisor's goroutine accesses
// it.
type member struct {
	name  string
	index int

	state orchestrator.State
	inc   int    // counts the starts; reports about another start are stale
	id    string // the container's; "" while there is none
	at    orchestrator.Placement
	fixed orchestrator.NodeStatus // what its status has from the spec and from at; zero: to be made
	busy  operation
	want  bool // it should run
	held  bool // it was not started yet, and waits for others: see after.go

	replace bool // its next start is that of a new container
	trial   bool // it was not Ready yet with its present image, which replaced another

	probing   bool      // its probe is running
	beganAt   time.Time // when that was
	startedAt time.Time
	stoppedAt time.Time
	endedAt   time.Time // the engine's time of the last run's end; zero if there was none

	hist     restart.History
	lastExit *orchestrator.Exit
	told     []orchestrator.FindingCode // reported since it was last healthy, or started by a user

	undiagnosed *NodeSnapshot // how its last run ended, if it was started again before a diagnosis of that

	moveAt time.Time // not before is it moved to another host; zero: as soon as the host is lost for long enough

	startWaiters, stopWaiters []Waiter

	run // newRun replaces it
}

// run is what belongs to one run of a node. Its zero value is a run that has just begun.
type run struct {
	reason string // why it is not Ready
	hint   hint.Hint

	pid      int       // of its first process on the engine's host; 0 while it is down
	runSince time.Time // the engine's time of its start; zero until reported
	begun    bool      // its output is followed
	redo     bool      // start the node again once it has stopped
	restart  time.Time // when a BackingOff node is started again
	ending   *ending

	proof
	blocking

	found        []orchestrator.Finding // what is wrong with it
	diagnosed    bool                   // a diagnosis was requested since its state changed last
	wasReady     bool                   // it was Ready once
	unwell       time.Time              // it was Ready until then
	dump         *diagnosis.Dump        // the dump that it left
	startErr     error                  // why the container could not be created or started
	lastingSince time.Time              // when a finding was made that time does not fix; zero if none
	doomed       bool                   // it will never be Ready

	withEngine bool     // it was stopped because the engine was
	stopAsked  bool     // a user of ours wants it down, no matter what stopped it
	ourKill    bool     // a user of ours sent a signal
	signals    []string // sent from outside
	oom        bool
}

// proof is what is known of a run that lives.
type proof struct {
	live, proven    bool // distribution handshake done; application and checks passed
	paused          bool
	serving         orchestrator.Serving // what listens on its HTTP port
	peers           sight                // the peers it saw at the last sweep
	readyGraceUntil time.Time            // until then a Ready node that lost its proof stays Ready

	connecting bool              // it is dialling its peers
	dialling   redial.Pace       // when it may do so again
	trouble    map[string]string // why it did not reach peers
}

// blocking is which peers a run refuses; see partition.go.
type blocking struct {
	blocked          map[string]bool // peers that it refuses
	everDisconnected map[string]bool // peers that it was ever disconnected from
	sendingBlocks    bool            // a change of its refused peers is being sent
	retryBlocksAt    time.Time       // when to retry, after a failure
	onlyDisconnected bool            // it is Degraded only for that reason
}

// operation is the engine call in progress for a node.
type operation int

const (
	idle operation = iota
	launching
	starting
	stopping
	moving // to another host; see move.go
)

// ending is the end of a run that is examined before it is judged.
type ending struct {
	exit     orchestrator.Exit
	until    time.Time // events that explain it may still come until then
	examined bool      // it has been examined
	Findings
}

// stale reports whether a report is about another run than the current one.
func (s *Supervisor) stale(r RunID) (*member, bool) {
	m := s.byName[r.Node]
	return m, m == nil || m.inc != r.Inc
}

func (m *member) report() RunID { return RunID{Node: m.name, Inc: m.inc} }

func (m *member) onContainer() OnContainer { return OnContainer{m.report(), m.id} }

// newRun begins the next run.
func (m *member) newRun() {
	m.inc++
	m.run = run{}
	if m.state != orchestrator.BackingOff { // a repeated crash is explained once
		m.told = nil
	}
	m.hist.ReadyAt = time.Time{}
}

// quiet reports whether the node is down with no operation in progress.
func (m *member) quiet() bool {
	return m.busy == idle && m.ending == nil && (m.state.Final() || m.state == orchestrator.Pending)
}

// sight is which peers a node sees. The zero value: none.
type sight struct {
	names []string // sorted
	is    []bool   // by index
}

// sighting returns the sight of these peers; most are the last one again.
func (s *Supervisor) sighting(peers []string, last sight) sight {
	now := sight{is: make([]bool, len(s.nodes))}
	for _, p := range peers {
		now.is[s.byName[p].index] = true
	}
	if slices.Equal(now.is, last.is) {
		return last
	}
	now.names = slices.Sorted(slices.Values(peers))
	return now
}

func (s sight) of(m *member) bool { return s.is != nil && s.is[m.index] }

// sees reports whether the node saw the peer at the last sweep.
func (m *member) sees(peer *member) bool { return m.peers.of(peer) }

// place sets where the node runs and is published.
func (m *member) place(at orchestrator.Placement) { m.at, m.fixed = at, orchestrator.NodeStatus{} }

// status returns the node's status for users.
func (s *Supervisor) status(m *member, now time.Time) orchestrator.NodeStatus {
	if m.fixed.Name == "" { // it costs more than all the rest, and every message publishes the state
		m.fixed = manifest.Status(s.spec, m.index, m.at, s.host)
		if s.inside && m.fixed.URL != "" { // the engine's ports are published on its host, which is not this container
			m.fixed.URL = "http://" + network.HostPort(m.at.IP.String(), s.spec.HTTPPort)
		}
	}
	st := m.fixed
	st.State, st.Reason, st.Paused = m.state, m.reason, m.paused
	st.ContainerID, st.PID = m.id, m.pid
	st.Incarnation, st.RestartCount = m.inc, m.hist.Total
	st.StartedAt, st.StoppedAt, st.NextRestartAt = m.startedAt, m.stoppedAt, m.restart
	st.LastExit, st.Findings, st.Cut = m.lastExit, m.found, namesOf(s.disconnectedFrom(m))
	if m.state.Running() {
		st.Peers = m.peers.names
	}
	if m.state == orchestrator.BackingOff && !m.restart.IsZero() {
		st.Restarts = fmt.Sprintf("%d/%d", len(m.hist.Within(s.spec.Restart.Window, now)), s.spec.Restart.Max)
	}
	if st.Serving = m.serving; !m.serving.Reachable() {
		st.URL = ""
	}
	return st
}
