package supervisor

import (
	"fmt"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file is the part of the supervisor that keeps nodes disconnected on purpose.
//
// A disconnected pair has two halves: each node refuses the other, through a cookie for
// it that no other node has. supervisor.cuts is the wanted state; member.odd is the state
// that a run of a node has received. Whenever the two differ for a live node, it gets all
// changes at once. So a node that restarted, or whose link broke, gets what it lacks.
// Until then its peers refuse it.

// pair is two nodes, in the order of the spec.
type pair struct{ a, b string }

func (s *Supervisor) pairOf(a, b *member) pair {
	if a.index > b.index {
		a, b = b, a
	}
	return pair{a.name, b.name}
}

type (
	// Cut requests that a node and its peers be disconnected, or reconnected.
	Cut struct {
		Node  string
		Peers []string
		Apart bool
		Loose map[string]bool // nodes whose kernel allows overlapping partitions
		Waiter
	}

	// SetHalf makes a node refuse some peers and accept others again; reply
	// [HalfSet].
	SetHalf struct {
		RunID
		Cut, Mend []string
	}

	// Fault records that a fault was injected or healed.
	Fault struct{ Node, Text string }

	// HalfSet ends [SetHalf].
	HalfSet struct {
		RunID
		Cut, Mend []string
		Err       error
	}
)

func (Cut) isMessage()     {}
func (HalfSet) isMessage() {}
func (SetHalf) isAction()  {}
func (Fault) isAction()    {}

// healTime is how long reconnecting nodes still count as disconnected: a node that takes
// longer has another problem.
const healTime = 10 * time.Second

// cutWaiter is answered when the live nodes of its pairs have their halves.
type cutWaiter struct {
	Waiter
	pairs []pair
	apart bool
}

// cut handles a request.
func (s *Supervisor) cut(msg Cut) {
	m := s.byName[msg.Node]
	if s.closing() {
		s.do(Reply{msg.Waiter, orchestrator.ErrClosed})
		return
	}
	w := cutWaiter{Waiter: msg.Waiter, apart: msg.Apart}
	var peers []*member
	for _, name := range msg.Peers {
		p := s.byName[name]
		peers = append(peers, p)
		w.pairs = append(w.pairs, s.pairOf(m, p))
	}
	if err := s.refuseCut(m, peers, msg); err != nil {
		s.do(Reply{msg.Waiter, err})
		return
	}
	doing := "disconnected from "
	if !msg.Apart {
		doing = "reconnected to "
	}
	s.do(Fault{m.name, doing + joinNames(peers)})
	for i, p := range peers {
		key := w.pairs[i]
		switch was := s.cuts[key]; {
		case msg.Apart && !was:
			s.cuts[key] = true
			delete(s.healing, key)
			m.parted(p)
			p.parted(m)
			s.emit(orchestrator.EventMesh, m.name, "%s and %s are kept apart on purpose", m.name, p.name)
		case msg.Apart: // already disconnected
		case !msg.Apart:
			if was {
				s.emit(orchestrator.EventMesh, m.name, "%s and %s may meet again", m.name, p.name)
			}
			delete(s.cuts, key)
			if m.live && p.live {
				s.healing[key] = s.now.Add(healTime)
			}
			for _, end := range []*member{m, p} { // including cuts by another supervisor
				end.connectAt, end.connectDelay = time.Time{}, 0
			}
			m.setOdd(p, true)
			p.setOdd(m, true)
		}
	}
	s.cutWaiters = append(s.cutWaiters, w)
}

// refuseCut returns why a request cannot be fulfilled.
func (s *Supervisor) refuseCut(m *member, peers []*member, msg Cut) error {
	if msg.Apart && (!m.state.Running() || !m.live) {
		return fmt.Errorf("%s: %w (it is %s)", m.name, orchestrator.ErrNotRunning, m.state)
	}
	for _, end := range append([]*member{m}, peers...) {
		if end.live && end.paused {
			return orchestrator.WithHint(fmt.Errorf("%s: %w: its container is paused", end.name, orchestrator.ErrNotRunning), "beamyard unpause %s/%s", s.spec.Name, end.name)
		}
	}
	cuts := map[pair]bool{}
	for key := range s.cuts {
		cuts[key] = true
	}
	for _, p := range peers {
		if key := s.pairOf(m, p); msg.Apart {
			cuts[key] = true
		} else {
			delete(cuts, key)
		}
	}
	if e := s.overlap(cuts, msg.Loose); e != nil {
		e.Reconnect = !msg.Apart
		return e
	}
	return nil
}

// overlap finds two disconnected nodes and a third that would be connected to both. If
// the kernel of one of the three prevents that, global disconnects uninvolved nodes: the
// two report to all others that they lost each other, and the others disconnect from
// them.
func (s *Supervisor) overlap(cuts map[pair]bool, loose map[string]bool) *orchestrator.OverlapError {
	meets := func(a, b *member) bool {
		if !a.live || !b.live || cuts[s.pairOf(a, b)] {
			return false
		}
		return s.spec.Mesh == orchestrator.MeshBeamyard || a.sees(b) || b.sees(a)
	}
	for i, a := range s.nodes {
		for _, b := range s.nodes[i+1:] {
			if !a.live || !b.live || !cuts[s.pairOf(a, b)] {
				continue
			}
			for _, third := range s.nodes {
				if third == a || third == b || !meets(a, third) || !meets(b, third) {
					continue
				}
				for _, strict := range []*member{a, b, third} {
					if !loose[strict.name] {
						return &orchestrator.OverlapError{A: a.name, B: b.name, Third: third.name, Strict: strict.name}
					}
				}
			}
		}
	}
	return nil
}
