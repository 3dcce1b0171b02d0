package orchestrator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
)

// This file is the part of the supervisor that has each run of a node refuse whom it
// is cut off from, and brings pairs together again. See cuts.go.

// parted notes that two are cut, now or once in this run.
func (m *member) parted(p *member) {
	if m.everApart == nil {
		m.everApart = map[string]bool{}
	}
	m.everApart[p.name] = true
}

// setOdd notes whether this run of a node refuses a peer, or may.
func (m *member) setOdd(p *member, odd bool) {
	if m.odd == nil {
		m.odd = map[string]bool{}
	}
	if odd {
		m.odd[p.name] = true
	} else {
		delete(m.odd, p.name)
	}
}

// apart reports whether two must not be connected now: they are cut, or one of them
// refuses the other still.
func (s *supervisor) apart(m, p *member) bool {
	return s.cuts[s.pairOf(m, p)] || m.odd[p.name] || p.odd[m.name]
}

// excused reports whether two need not be connected: they are cut, or are just being
// brought together again.
func (s *supervisor) excused(a, b *member) bool {
	key := s.pairOf(a, b)
	return s.cuts[key] || s.now.Before(s.healing[key])
}

// severed are the peers that a node is Degraded without.
func (s *supervisor) severed(m *member) []*member {
	return slices.DeleteFunc(slices.Clone(s.nodes), func(p *member) bool { return p == m || !s.excused(m, p) })
}

// cutFrom are those that a node is cut from.
func (s *supervisor) cutFrom(m *member) []*member {
	return slices.DeleteFunc(slices.Clone(s.nodes), func(p *member) bool { return p == m || !s.cuts[s.pairOf(m, p)] })
}

// due is what a run of a node has still to be told.
func (s *supervisor) due(m *member) (cut, mend []string) {
	for _, p := range s.nodes {
		if p == m {
			continue
		}
		switch wanted := s.cuts[s.pairOf(m, p)]; {
		case wanted && !m.odd[p.name]:
			cut = append(cut, p.name)
		case !wanted && m.odd[p.name]:
			mend = append(mend, p.name)
		}
	}
	return cut, mend
}

// setHalves tells the nodes what is due, one thing at a time. A node that loses many
// goes before those that lose it: while it is told its global is held, and so does
// not tell some of them of the loss of others, who are innocent.
func (s *supervisor) setHalves() {
	if s.closing() {
		return
	}
	for _, m := range s.nodes {
		if !m.live || m.paused || m.setting || s.now.Before(m.setAt) {
			continue
		}
		if cut, mend := s.due(m); len(cut)+len(mend) > 0 && !s.yields(cut) {
			m.setting = true
			s.do(actSetHalf{m.report(), cut, mend})
		}
	}
}

// yields reports whether one of those that a node is to be cut off from is told first.
func (s *supervisor) yields(cut []string) bool {
	return slices.ContainsFunc(cut, func(name string) bool {
		p := s.byName[name]
		theirs, _ := s.due(p)
		return p.live && !p.paused && p.setAt.IsZero() && len(theirs) > len(cut)
	})
}

// halfAt is when a node that failed to be told is told again; zero where none is.
func (s *supervisor) halfAt(m *member) time.Time {
	if s.closing() || !m.live || m.paused || m.setting {
		return time.Time{}
	}
	if cut, mend := s.due(m); len(cut)+len(mend) == 0 || s.yields(cut) {
		return time.Time{}
	}
	return m.setAt
}

func (s *supervisor) halfSet(msg msgHalfSet) {
	m, stale := s.stale(msg.report)
	if stale {
		return
	}
	m.setting = false
	if msg.err != nil {
		m.setAt = s.now.Add(connectLate)
		if !errors.Is(msg.err, erldist.ErrClosed) { // else it is gone, or its link is dialled again
			s.failCuts(m, msg.err)
		}
		return
	}
	m.setAt = time.Time{}
	for _, name := range msg.cut {
		p := s.byName[name]
		m.setOdd(p, true)
		m.parted(p)
	}
	for _, name := range msg.mend {
		m.setOdd(s.byName[name], false)
	}
	s.sweepNow()
}

// seenThough has a pair that is cut told so again where one sees the other all the
// same: a handshake that had begun before may end after.
func (s *supervisor) seenThough() {
	if s.sweep.again { // it was asked before somebody was told
		return
	}
	for _, m := range s.nodes {
		for _, p := range s.nodes {
			if p != m && m.live && m.sees(p) && s.cuts[s.pairOf(m, p)] && !m.setting {
				m.setOdd(p, false)
			}
		}
	}
}

// failCuts answers those who wait for a node's half.
func (s *supervisor) failCuts(m *member, err error) {
	s.cutWaiters = slices.DeleteFunc(s.cutWaiters, func(w cutWaiter) bool {
		if !slices.ContainsFunc(w.pairs, func(k pair) bool { return k.a == m.name || k.b == m.name }) {
			return false
		}
		s.do(actReply{w.waiter, fmt.Errorf("%s: %w", m.name, err)})
		return true
	})
}

// answerCuts answers those whose pairs have their halves.
func (s *supervisor) answerCuts() {
	s.cutWaiters = slices.DeleteFunc(s.cutWaiters, func(w cutWaiter) bool {
		if s.closing() {
			s.do(actReply{w.waiter, ErrClosed})
			return true
		}
		for _, k := range w.pairs {
			a, b := s.byName[k.a], s.byName[k.b]
			if s.cuts[k] != w.apart {
				s.do(actReply{w.waiter, fmt.Errorf("%s and %s: %w: another request asked for the opposite", k.a, k.b, ErrConflict)})
				return true
			}
			if a.live && (a.setting || a.odd[b.name] != w.apart) || b.live && (b.setting || b.odd[a.name] != w.apart) {
				return false
			}
		}
		s.do(actReply{w.waiter, nil})
		return true
	})
}

// heal forgets the pairs that have met again, or of which one is gone: then it is
// the mesh's business.
func (s *supervisor) heal(sees map[string]sight) {
	for key := range s.healing {
		a, b := s.byName[key.a], s.byName[key.b]
		fresh := sees[a.name].inc == a.inc && sees[b.name].inc == b.inc
		met := fresh && a.sees(b) && b.sees(a)
		gone := !a.state.Running() || !b.state.Running()
		if met || gone {
			delete(s.healing, key)
		}
	}
}

// mending reports whether a pair that is to meet again still refuses each other. Until
// then none is connected: of nodes that meet one after another global would take some
// off.
func (s *supervisor) mending() bool {
	for key := range s.healing {
		a, b := s.byName[key.a], s.byName[key.b]
		if a.live && b.live && !a.paused && !b.paused && s.apart(a, b) {
			return true
		}
	}
	return false
}

// toHeal are the peers that a node is to meet again, whoever connects the others.
func (s *supervisor) toHeal(m *member) []*member {
	var peers []*member
	for _, p := range s.livePeers(m) {
		if _, ok := s.healing[s.pairOf(m, p)]; ok && (!m.sees(p) || !p.sees(m)) {
			peers = append(peers, p)
		}
	}
	return peers
}

// cutFromPeers degrades a node that would be Ready but for cuts. Nobody asks why.
func (s *supervisor) cutFromPeers(m *member, severed []*member) {
	m.cutOff, m.wasReady = true, true
	m.found, m.told, m.unwell = nil, nil, time.Time{}
	s.setState(m, Degraded, onPurpose(severed), hintReconnect)
}

// noLongerByCutAlone notes that something else is wrong with it, too.
func (s *supervisor) noLongerByCutAlone(m *member) {
	if m.cutOff {
		m.cutOff = false
		s.suspected(m, m.state)
	}
}

// onPurpose is the reason of a node that is cut off from peers.
func onPurpose(peers []*member) string {
	return "disconnected from " + joinNames(peers) + " on purpose"
}

// hintReconnect is what ends it.
const hintReconnect = "Cluster.Reconnect ends it: a restart does not"

// apartWords names pairs' other ends for an event of the cluster.
func (s *supervisor) apartWords() string {
	var pairs []string
	for key := range s.cuts {
		pairs = append(pairs, key.a+"-"+key.b)
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ", ")
}
