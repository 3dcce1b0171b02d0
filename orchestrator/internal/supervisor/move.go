package supervisor

import (
	"fmt"
	"slices"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file is the part of the supervisor that handles hosts that do not answer, and moves their
// nodes: [orchestrator.Spec].OnHostLost.
//
//	HostChanged ─► a minute ─► Move ─► Moved ─► the new container is the node's
//	HostChanged, it answers again ─► Discard: the old container is removed
//
// A node that answers, or that a peer is connected to, runs: it is not moved. The old container
// remains the node's until the new one has started, so a move that fails changes nothing.

type (
	// Move starts a node in a new container on another host; reply [Moved].
	Move struct {
		RunID
		To string
	}

	// Moved is the result of [Move]. Without an error, the container was started.
	Moved struct {
		RunID
		To        string
		Container orchestrator.Container
		At        orchestrator.Placement
		Err       error
	}

	// Discard removes a container that is no node's any more; reply [Discarded].
	Discard struct{ ContainerID string }

	// Discarded is the result of [Discard].
	Discarded struct {
		ContainerID string
		Err         error
	}
)

func (Move) isAction()       {}
func (Moved) isMessage()     {}
func (Discard) isAction()    {}
func (Discarded) isMessage() {}

// hostOf returns the host of a node, "" if the cluster has none.
func (s *Supervisor) hostOf(m *member) string { return s.spec.Nodes[m.index].Host }

// hostLost returns since when and why the host of a node does not answer; "" if it does.
func (s *Supervisor) hostLost(m *member) string { return s.hosts.Why(s.hostOf(m)) }

// hostChanged notes that a host does not answer. If it does again, its nodes are compared with
// what runs there, and what was moved from there is removed.
func (s *Supervisor) hostChanged(msg HostChanged) {
	if msg.Lost != "" {
		s.hosts.Lose(msg.Host, msg.Lost, s.now)
		return
	}
	s.hosts.Return(msg.Host)
	for _, m := range s.nodes {
		if s.hostOf(m) == msg.Host {
			m.moveAt = time.Time{}
		}
		if m.state == orchestrator.Unreachable && s.hostLost(m) == "" {
			s.setState(m, orchestrator.Degraded, "its host answers again", nil)
		}
	}
	s.compare()
}

// movesAt returns when a node is moved; zero if it is not.
func (s *Supervisor) movesAt(m *member) time.Time {
	down := m.state == orchestrator.Unreachable || m.state == orchestrator.BackingOff && m.ending == nil
	connected := func(p *member) bool { return p.live && p.sees(m) }
	if !down || !m.want || m.live || m.busy != idle || s.closing() || slices.ContainsFunc(s.nodes, connected) {
		return time.Time{}
	}
	return s.hosts.At(s.spec, s.hostOf(m), m.moveAt)
}

// moveLost moves the nodes whose time has come.
func (s *Supervisor) moveLost() {
	for _, m := range s.nodes {
		if at := s.movesAt(m); at.IsZero() || s.now.Before(at) {
			continue
		}
		to := s.hosts.Depart(s.spec, m.index)
		if to == "" {
			if m.moveAt.IsZero() { // once for each loss
				s.emit(orchestrator.EventNote, m.name, "%s is not moved: no host that answers has room for it", m.name)
			}
			m.moveAt = s.now.Add(orchestrator.MoveAfter)
			continue
		}
		m.busy = moving
		s.emit(orchestrator.EventNote, m.name, "%s moves to host %s, with empty disks: %s", m.name, to, s.hostLost(m))
		s.do(Move{m.report(), to})
	}
}

// moved handles the result of a move. Meanwhile the node may have answered, or been stopped: the
// new container is then removed.
func (s *Supervisor) moved(msg Moved) {
	m := s.byName[msg.Node]
	m.busy = idle
	s.hosts.Arrive(m.index)
	switch {
	case msg.Err != nil:
		m.moveAt = s.now.Add(orchestrator.MoveAfter)
		s.advise(orchestrator.EventNote, m.name, orchestrator.HintOf(msg.Err), fmt.Sprintf("%s could not be started on host %s: %v", m.name, msg.To, msg.Err))
	case m.live, !m.want, m.state == orchestrator.Stopping, s.closing():
		s.emit(orchestrator.EventNote, m.name, "%s stays on host %s", m.name, s.hostOf(m))
		s.hosts.Leave(msg.Container.ID, m.name, msg.To)
		s.discard()
	default:
		s.takeOver(m, msg)
		return
	}
	if m.state == orchestrator.Stopping {
		s.stopRunning(m)
	}
	s.again(m)
}

// takeOver makes the container that a move started the node's.
func (s *Supervisor) takeOver(m *member, msg Moved) {
	from := s.hostOf(m)
	s.endRun(m)
	if m.id != "" {
		s.hosts.Leave(m.id, m.name, from)
	}
	m.newRun()
	s.spec.Nodes[m.index].Host = msg.To
	m.place(msg.At)
	m.id, m.startedAt, m.endedAt, m.runSince = msg.Container.ID, s.now, time.Time{}, msg.Container.State.StartedAt
	s.answer(&m.startWaiters, nil)
	s.do(Mark{m.report(), fmt.Sprintf("── %s moved from host %s to host %s ──", m.name, from, msg.To)})
	s.emit(orchestrator.EventNote, m.name, "%s runs on host %s now; what host %s has of it is removed when that answers", m.name, msg.To, from)
	s.setState(m, orchestrator.Starting, "moved from host "+from, nil)
	s.running(m)
	s.do(Inspect{m.onContainer()}) // it may have ended before its events were the node's
	s.discard()
}

// discard removes what moved nodes left on hosts that answer.
func (s *Supervisor) discard() {
	for _, left := range s.hosts.Due() {
		s.do(Discard{left.ContainerID})
	}
}

// discarded handles the result of a removal. One that failed is tried again with the next list.
func (s *Supervisor) discarded(msg Discarded) {
	if left, removed := s.hosts.Removed(msg.ContainerID, msg.Err); removed {
		s.emit(orchestrator.EventNote, left.Node, "removed what host %s still had of %s", left.Host, left.Node)
	}
}
