package orchestrator

import (
	"fmt"
	"time"
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

func (s *supervisor) pairOf(a, b *member) pair {
	if a.index > b.index {
		a, b = b, a
	}
	return pair{a.name, b.name}
}

type (
	// msgCut requests that a node and its peers be disconnected, or reconnected.
	msgCut struct {
		node  string
		peers []string
		apart bool
		loose map[string]bool // nodes whose kernel allows overlapping partitions
		waiter
	}

	// actSetHalf makes a node refuse some peers and accept others again; reply
	// msgHalfSet.
	actSetHalf struct {
		report
		cut, mend []string
	}

	// actFault records that a fault was injected or healed.
	actFault struct{ node, text string }

	// msgHalfSet ends actSetHalf.
	msgHalfSet struct {
		report
		cut, mend []string
		err       error
	}
)

func (msgCut) isMessage()     {}
func (msgHalfSet) isMessage() {}
func (actSetHalf) isAction()  {}
func (actFault) isAction()    {}

// healTime is how long reconnecting nodes still count as disconnected: a node that takes
// longer has another problem.
const healTime = 10 * time.Second

// cutWaiter is answered when the live nodes of its pairs have their halves.
type cutWaiter struct {
	waiter
	pairs []pair
	apart bool
}

// cut handles a request.
func (s *supervisor) cut(msg msgCut) {
	m := s.byName[msg.node]
	if s.closing() {
		s.do(actReply{msg.waiter, ErrClosed})
		return
	}
	w := cutWaiter{waiter: msg.waiter, apart: msg.apart}
	var peers []*member
	for _, name := range msg.peers {
		p := s.byName[name]
		peers = append(peers, p)
		w.pairs = append(w.pairs, s.pairOf(m, p))
	}
	if err := s.refuseCut(m, peers, msg); err != nil {
		s.do(actReply{msg.waiter, err})
		return
	}
	doing := "disconnected from "
	if !msg.apart {
		doing = "reconnected to "
	}
	s.do(actFault{m.name, doing + joinNames(peers)})
	for i, p := range peers {
		key := w.pairs[i]
		switch was := s.cuts[key]; {
		case msg.apart && !was:
			s.cuts[key] = true
			delete(s.healing, key)
			m.parted(p)
			p.parted(m)
			s.emit(EventMesh, m.name, "%s and %s are kept apart on purpose", m.name, p.name)
		case msg.apart: // already disconnected
		case !msg.apart:
			if was {
				s.emit(EventMesh, m.name, "%s and %s may meet again", m.name, p.name)
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
func (s *supervisor) refuseCut(m *member, peers []*member, msg msgCut) error {
	if msg.apart && (!m.state.Running() || !m.live) {
		return fmt.Errorf("%s: %w (it is %s)", m.name, ErrNotRunning, m.state)
	}
	for _, end := range append([]*member{m}, peers...) {
		if end.live && end.paused {
			return WithHint(fmt.Errorf("%s: %w: its container is paused", end.name, ErrNotRunning), "beamyard unpause %s/%s", s.spec.Name, end.name)
		}
	}
	cuts := map[pair]bool{}
	for key := range s.cuts {
		cuts[key] = true
	}
	for _, p := range peers {
		if key := s.pairOf(m, p); msg.apart {
			cuts[key] = true
		} else {
			delete(cuts, key)
		}
	}
	if e := s.overlap(cuts, msg.loose); e != nil {
		e.Reconnect = !msg.apart
		return e
	}
	return nil
}

// overlap finds two disconnected nodes and a third that would be connected to both. If
// the kernel of one of the three prevents that, global disconnects uninvolved nodes: the
// two report to all others that they lost each other, and the others disconnect from
// them.
func (s *supervisor) overlap(cuts map[pair]bool, loose map[string]bool) *OverlapError {
	meets := func(a, b *member) bool {
		if !a.live || !b.live || cuts[s.pairOf(a, b)] {
			return false
		}
		return s.spec.Mesh == MeshBeamyard || a.sees(b) || b.sees(a)
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
						return &OverlapError{A: a.name, B: b.name, Third: third.name, Strict: strict.name}
					}
				}
			}
		}
	}
	return nil
}
