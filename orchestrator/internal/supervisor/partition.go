package supervisor

import (
	"fmt"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// This file is the part of the supervisor that keeps nodes disconnected on purpose.
//
// Each node of a disconnected pair blocks the other, through a cookie for it that no other
// node has. Supervisor.disconnected is the wanted state; member.blocked is the state that a
// run of a node has received. Whenever the two differ for a live node, it gets all changes at
// once. So a node that restarted, or whose link broke, gets what it lacks. Until then its
// peers refuse it.

// pair is two nodes, in the order of the spec.
type pair struct{ a, b string }

func (s *Supervisor) pairOf(a, b *member) pair {
	if a.index > b.index {
		a, b = b, a
	}
	return pair{a.name, b.name}
}

type (
	// Partition requests that a node and its peers be disconnected, or reconnected.
	Partition struct {
		Node           string
		Peers          []string
		Apart          bool
		OverlapAllowed map[string]bool // nodes whose kernel allows overlapping partitions
		Waiter
	}

	// SetBlocked makes a node refuse some peers and accept others again; reply
	// [BlockedSet].
	SetBlocked struct {
		RunID
		Block, Unblock []string
	}

	// Fault records that a fault was injected or healed.
	Fault struct {
		Node, Text string
		Fault      *fault.Fault // nil: nodes were disconnected or reconnected
		Healed     bool
	}

	// BlockedSet ends [SetBlocked].
	BlockedSet struct {
		RunID
		Block, Unblock []string
		Err            error
	}
)

func (Partition) isMessage()  {}
func (BlockedSet) isMessage() {}
func (SetBlocked) isAction()  {}
func (Fault) isAction()       {}

// healTime is how long reconnecting nodes still count as disconnected: a node that takes
// longer has another problem.
const healTime = 10 * time.Second

// partitionWaiter is answered when the live nodes of its pairs have their changes.
type partitionWaiter struct {
	Waiter
	pairs []pair
	apart bool
}

// partition handles a request.
func (s *Supervisor) partition(msg Partition) {
	m := s.byName[msg.Node]
	if s.closing() {
		s.do(Reply{msg.Waiter, orchestrator.ErrClosed})
		return
	}
	w := partitionWaiter{Waiter: msg.Waiter, apart: msg.Apart}
	var peers []*member
	for _, name := range msg.Peers {
		p := s.byName[name]
		peers = append(peers, p)
		w.pairs = append(w.pairs, s.pairOf(m, p))
	}
	if err := s.refusePartition(m, peers, msg); err != nil {
		s.do(Reply{msg.Waiter, err})
		return
	}
	doing := "disconnected from "
	if !msg.Apart {
		doing = "reconnected to "
	}
	s.do(Fault{Node: m.name, Text: doing + joinNames(peers)})
	for i, p := range peers {
		key := w.pairs[i]
		switch was := s.disconnected[key]; {
		case msg.Apart && !was:
			s.disconnected[key] = true
			delete(s.healing, key)
			m.recordDisconnected(p)
			p.recordDisconnected(m)
			s.emit(orchestrator.EventMesh, m.name, "%s and %s are kept apart on purpose", m.name, p.name)
		case msg.Apart: // already disconnected
		case !msg.Apart:
			if was {
				s.emit(orchestrator.EventMesh, m.name, "%s and %s may meet again", m.name, p.name)
			}
			delete(s.disconnected, key)
			if m.live && p.live {
				s.healing[key] = s.now.Add(healTime)
			}
			for _, end := range []*member{m, p} { // including cuts by another supervisor
				end.dialling.Reset()
			}
			m.setBlocked(p, true)
			p.setBlocked(m, true)
		}
	}
	s.partitionWaiters = append(s.partitionWaiters, w)
}

// refusePartition returns why a request cannot be fulfilled.
func (s *Supervisor) refusePartition(m *member, peers []*member, msg Partition) error {
	if msg.Apart && (!m.state.Running() || !m.live) {
		return fmt.Errorf("%s: %w (it is %s)", m.name, orchestrator.ErrNotRunning, m.state)
	}
	for _, end := range append([]*member{m}, peers...) {
		if end.live && end.paused {
			return orchestrator.WithHint(fmt.Errorf("%s: %w: its container is paused", end.name, orchestrator.ErrNotRunning), "%s", hint.Unpause.On(s.spec.Name, end.name))
		}
	}
	apart := map[pair]bool{}
	for key := range s.disconnected {
		apart[key] = true
	}
	for _, p := range peers {
		if key := s.pairOf(m, p); msg.Apart {
			apart[key] = true
		} else {
			delete(apart, key)
		}
	}
	if e := s.overlap(apart, msg.OverlapAllowed); e != nil {
		e.Reconnect = !msg.Apart
		return e
	}
	return nil
}

// overlap finds two disconnected nodes and a third that would be connected to both. If
// the kernel of one of the three prevents that, global disconnects uninvolved nodes: the
// two report to all others that they lost each other, and the others disconnect from
// them.
func (s *Supervisor) overlap(apart map[pair]bool, overlapAllowed map[string]bool) *orchestrator.OverlapError {
	meets := func(a, b *member) bool {
		if !a.live || !b.live || apart[s.pairOf(a, b)] {
			return false
		}
		return s.spec.Mesh == orchestrator.MeshBeamyard || a.sees(b) || b.sees(a)
	}
	for i, a := range s.nodes {
		for _, b := range s.nodes[i+1:] {
			if !a.live || !b.live || !apart[s.pairOf(a, b)] {
				continue
			}
			for _, third := range s.nodes {
				if third == a || third == b || !meets(a, third) || !meets(b, third) {
					continue
				}
				for _, strict := range []*member{a, b, third} {
					if !overlapAllowed[strict.name] {
						return &orchestrator.OverlapError{A: a.name, B: b.name, Third: third.name, Strict: strict.name}
					}
				}
			}
		}
	}
	return nil
}
