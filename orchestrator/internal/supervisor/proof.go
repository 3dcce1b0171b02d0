package supervisor

import (
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/redial"
)

// This file is the part of the supervisor that decides when a node is proven:
// distribution handshake, application, checks, and the mesh.

// alive handles a completed handshake and connects the node to the others.
func (s *Supervisor) alive(msg Live) {
	m, stale := s.stale(msg.RunID)
	if stale || !m.state.Running() || m.state == orchestrator.Stopping {
		return
	}
	m.live = true
	if m.state == orchestrator.Starting {
		m.reason, m.hint = "", nil
	}
	if s.connect(m, s.others(m, func(p *member) bool { return p.live })); !m.connecting { // otherwise a sweep follows that
		s.sweepNow()
	}
}

// others returns the nodes other than m for which is returns true.
func (s *Supervisor) others(m *member, is func(p *member) bool) (peers []*member) {
	for _, p := range s.nodes {
		if p != m && is(p) {
			peers = append(peers, p)
		}
	}
	return peers
}

// connect makes the node dial its peers, unless the application does that.
func (s *Supervisor) connect(m *member, peers []*member) {
	if m.connecting || s.goingDown() || !m.dialling.May(s.now) {
		return
	}
	if block, _ := s.pendingBlocks(m); len(block) > 0 { // connected to a single peer, global would connect it to the others
		return
	}
	var names []string
	for _, p := range peers {
		_, heals := s.healing[s.pairOf(m, p)]
		if !s.mustNotConnect(m, p) && (s.spec.Mesh == orchestrator.MeshBeamyard || heals) && (!heals || !s.stillHealing()) {
			names = append(names, p.name)
		}
	}
	if len(names) == 0 {
		return
	}
	m.connecting = true
	s.do(Connect{m.report(), names})
}

func (s *Supervisor) connected(msg Connected) {
	m, stale := s.stale(msg.RunID)
	if stale {
		return
	}
	m.connecting = false
	m.troubled(msg.Trouble)
	for _, why := range msg.Trouble {
		if m.state == orchestrator.Starting {
			m.reason = why
		}
	}
	m.dialling.Dialled(s.now)
	s.sweepNow()
}

func (s *Supervisor) unproven(msg Unproven) {
	m, stale := s.stale(msg.RunID)
	if stale || !m.state.Running() || m.state == orchestrator.Stopping {
		return
	}
	m.proven = false
	m.reason, m.hint = msg.Reason, msg.Hint
	if m.state == orchestrator.Ready && m.live { // without a connection it first stays Ready for a moment: see doubt
		s.setState(m, orchestrator.Degraded, msg.Reason, msg.Hint)
	}
}

// lost handles the break of the connection to the node. It reveals a death whose event
// the engine dropped, so the engine is queried.
func (s *Supervisor) lost(msg Lost) {
	m, stale := s.stale(msg.RunID)
	if stale || !m.live {
		return
	}
	m.live, m.proven, m.peers = false, false, sight{}
	m.readyGraceUntil = s.now.Add(readyGrace)
	if m.state == orchestrator.Ready || m.state == orchestrator.Starting || m.onlyDisconnected {
		m.reason = msg.Reason
	}
	s.do(Inspect{m.onContainer()})
}

// sighted schedules a sweep of the mesh as soon as a node saw another connect or
// disconnect. The regular sweep every 5 s remains, for unreported changes.
func (s *Supervisor) sighted(msg PeerEvent) {
	if m, stale := s.stale(msg.RunID); stale || !m.live || msg.Event.Initial || !s.sightedAt.IsZero() {
		return
	}
	// Every other node reports each change: with fifty nodes, a sweep for each report
	// would occupy a processor. So the first report waits for the rest.
	s.sightedAt = s.now.Add(time.Duration(len(s.nodes)) * sightEach)
}

// sweepNow asks every live node for its peers; one sweep at a time.
func (s *Supervisor) sweepNow() {
	s.sweep.at = time.Time{}
	if s.sweep.running {
		s.sweep.again = true
		return
	}
	if s.goingDown() || !slices.ContainsFunc(s.nodes, func(m *member) bool { return m.live }) {
		return
	}
	s.sweep.running = true
	s.do(Sweep{})
}

// swept handles the nodes' peers. It reports changes, and reconnects missing pairs.
func (s *Supervisor) swept(msg Mesh) {
	s.sweep.running = false
	was := make([]sight, len(s.nodes))
	for i, m := range s.nodes {
		was[i] = m.peers
		if sight, ok := msg.Sees[m.name]; ok && sight.Inc == m.inc && m.live && sight.Err == nil {
			m.peers = s.sighting(sight.Peers, m.peers)
		}
	}
	s.tellMesh(was)
	s.resendIfSeen()
	s.dropHealed(msg.Sees)
	next := s.now.Add(sweepEvery)
	for _, m := range s.nodes {
		missing := s.missing(m)
		for _, p := range s.peersToHeal(m) {
			if !slices.Contains(missing, p) {
				missing = append(missing, p)
			}
		}
		m.dialling.Saw(len(missing) == 0, s.now)
		if len(missing) == 0 {
			continue
		}
		s.connect(m, missing)
		again := s.now.Add(redial.Late / 4) // if the application connects
		if at := m.dialling.Next(); again.Before(at) {
			again = at
		}
		if again.Before(next) {
			next = again
		}
	}
	s.sweep.at = next
	if s.sweep.again {
		s.sweep.again = false
		s.sweepNow()
	}
}

// tellMesh reports which pairs connected and disconnected since the last sweep. All pairs
// of a node with the nodes after it share one event: fifty nodes have 1225 pairs, more
// than the log keeps events.
func (s *Supervisor) tellMesh(was []sight) {
	for i, m := range s.nodes {
		var met, lost []string
		for j, p := range s.nodes[i+1:] {
			before := was[i].of(p) && was[i+1+j].of(m)
			switch now := m.sees(p) && p.sees(m); {
			case now && !before:
				met = append(met, p.name)
			case before && !now && (m.state == orchestrator.Ready && p.state == orchestrator.Ready || s.cut[s.pairOf(m, p)] != ""):
				lost = append(lost, p.name)
			}
		}
		if len(met) > 0 {
			s.emit(orchestrator.EventMesh, m.name, "%s met %s", m.name, strings.Join(met, ", "))
		}
		if len(lost) > 0 {
			s.emit(orchestrator.EventMesh, m.name, "%s lost %s", m.name, strings.Join(lost, ", "))
		}
	}
}

// expected reports whether a node must be connected to a peer. A starting node must connect
// to every live node. A proven node is measured only by the other proven ones: a newcomer does
// not degrade it.
func expected(m, p *member) bool {
	return p.live && (m.state == orchestrator.Starting || p.state == orchestrator.Ready || p.state == orchestrator.Degraded)
}

// missing returns the expected peers whose connection is not seen from both sides, except
// those disconnected on purpose.
func (s *Supervisor) missing(m *member) []*member {
	if !m.live || s.spec.Mesh == orchestrator.MeshNone {
		return nil
	}
	return s.others(m, func(p *member) bool { return expected(m, p) && (!m.sees(p) || !p.sees(m)) && !s.exempt(m, p) })
}

// evaluate moves nodes between Starting, Ready and Degraded.
func (s *Supervisor) evaluate() {
	for _, m := range s.nodes {
		if m.ending != nil {
			continue
		}
		switch m.state {
		case orchestrator.Starting, orchestrator.Degraded, orchestrator.Unreachable:
			if why := s.hostLost(m); why != "" && !m.live && m.busy == idle {
				s.setState(m, orchestrator.Unreachable, why, nil)
				continue
			}
			switch well := s.well(m); {
			case m.onlyDisconnected:
				s.doubtReady(m)
			case well:
				if m.hist.ReadyAt.IsZero() {
					m.hist.ReadyAt, m.hist.Slogan, m.trial = s.now, "", false
					s.do(Inspect{m.onContainer()}) // for its pid
				}
				s.doubtReady(m)
			case m.live && m.proven:
				m.reason = s.whyMissing(m)
			}
		case orchestrator.Ready:
			s.doubtReady(m)
		case orchestrator.Pending, orchestrator.Creating, orchestrator.Running, orchestrator.BackingOff, orchestrator.Stopping, orchestrator.Stopped, orchestrator.Completed, orchestrator.Failed:
		}
	}
}

// reasonPaused is the reason of a node whose container is paused.
const reasonPaused = "paused"

// well reports whether a node passes all proofs, ignoring disconnected peers.
func (s *Supervisor) well(m *member) bool {
	return m.live && m.proven && !m.paused && len(s.missing(m)) == 0
}

// doubtReady makes a healthy node Ready, or Degraded if peers are disconnected on
// purpose. It degrades a node that was either and has failed a proof for longer than a
// moment.
func (s *Supervisor) doubtReady(m *member) {
	if s.well(m) {
		m.readyGraceUntil = time.Time{}
		if exempt := s.exemptPeers(m); len(exempt) > 0 {
			s.degradeByPartition(m, exempt)
		} else {
			s.setState(m, orchestrator.Ready, "", nil)
		}
		return
	}
	missing := s.missing(m)
	switch {
	case m.paused:
		s.setState(m, orchestrator.Degraded, reasonPaused, hint.Of(hint.Unpause.On(s.spec.Name, m.name)))
		s.noLongerOnlyDisconnected(m)
	case m.readyGraceUntil.IsZero():
		m.readyGraceUntil = s.now.Add(readyGrace)
	case !s.now.Before(m.readyGraceUntil):
		m.readyGraceUntil = time.Time{}
		reason := m.reason
		if len(missing) > 0 {
			reason = s.whyMissing(m)
		}
		if id := fault.CutFromHost(s.faults, m.name); id != "" {
			reason = "cut off from the host by " + id
		}
		state := orchestrator.Degraded
		if why := s.hostLost(m); why != "" && !m.live {
			state, reason = orchestrator.Unreachable, why
		}
		s.setState(m, state, reason, hint.Of(hint.Inspect.On("", m.name)))
		s.noLongerOnlyDisconnected(m)
	}
}

func (s *Supervisor) whyMissing(m *member) string {
	if m.paused {
		return reasonPaused
	}
	missing := s.missing(m)
	if len(missing) == 0 {
		return m.reason
	}
	if exempt := s.exemptPeers(m); len(exempt) > 0 {
		return "not connected to " + joinNames(missing) + "; " + s.exemptReason(m, exempt)
	}
	return "not connected to " + joinNames(missing)
}
