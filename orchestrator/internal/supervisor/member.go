package supervisor

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
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
	peers           map[string]bool      // the peers it saw at the last sweep
	readyGraceUntil time.Time            // until then a Ready node that lost its proof stays Ready

	connecting   bool      // it is dialling its peers
	connectAt    time.Time // when it may dial next, after connectDelay; zero: at once
	connectDelay time.Duration
	trouble      map[string]string // why it did not reach peers
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

// sees reports whether the node saw the peer at the last sweep.
func (m *member) sees(peer *member) bool { return m.peers[peer.name] }

// status returns the node's status for users; host is where published ports are dialled.
func (m *member) status(s orchestrator.Spec, host string, now time.Time) orchestrator.NodeStatus {
	names := s.Names()
	st := orchestrator.NodeStatus{
		Name:          m.name,
		Node:          names.Node(m.name),
		Host:          names.Hostname(m.name),
		On:            s.Nodes[m.index].Host,
		State:         m.state,
		Reason:        m.reason,
		Paused:        m.paused,
		IP:            m.at.IP,
		Container:     names.Container(m.name),
		ContainerID:   m.id,
		PID:           m.pid,
		Peers:         slices.Sorted(maps.Keys(m.peers)),
		Incarnation:   m.inc,
		RestartCount:  m.hist.Total,
		StartedAt:     m.startedAt,
		StoppedAt:     m.stoppedAt,
		NextRestartAt: m.restart,
		LastExit:      m.lastExit,
		Findings:      m.found,
	}
	if !m.state.Running() {
		st.Peers = nil
	}
	if m.state == orchestrator.BackingOff && !m.restart.IsZero() {
		used := 0
		for _, t := range m.hist.Recent {
			if now.Sub(t) < s.Restart.Window {
				used++
			}
		}
		st.Restarts = fmt.Sprintf("%d/%d", used, s.Restart.Max)
	}
	if image := s.NodeAt(m.index).Image; image != s.Image {
		st.Image = image
	}
	manifest.SetPorts(&st, s, m.at.Ports, host)
	if st.Serving = m.serving; !m.serving.Reachable() {
		st.URL = ""
	}
	return st
}
