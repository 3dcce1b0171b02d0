package supervisor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
)

// This file is the part of the supervisor that makes each run of a node refuse its
// disconnected peers, and reconnects pairs. See partition.go.

// parted records that two nodes are disconnected, now or earlier in this run.
func (m *member) parted(p *member) {
	if m.everApart == nil {
		m.everApart = map[string]bool{}
	}
	m.everApart[p.name] = true
}

// setOdd records whether this run of a node refuses a peer, or may.
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

// apart reports whether two nodes must not be connected now: they are disconnected on
// purpose, or one of them still refuses the other.
func (s *Supervisor) apart(m, p *member) bool {
	return s.cuts[s.pairOf(m, p)] || m.odd[p.name] || p.odd[m.name]
}

// excused reports whether two nodes need not be connected: they are disconnected on
// purpose, or are being reconnected.
func (s *Supervisor) excused(a, b *member) bool {
	key := s.pairOf(a, b)
	return s.cuts[key] || s.now.Before(s.healing[key])
}

// severed returns the missing peers for which a node is Degraded.
func (s *Supervisor) severed(m *member) []*member {
	return slices.DeleteFunc(slices.Clone(s.nodes), func(p *member) bool { return p == m || !s.excused(m, p) })
}

// cutFrom returns the peers that a node is disconnected from.
func (s *Supervisor) cutFrom(m *member) []*member {
	return slices.DeleteFunc(slices.Clone(s.nodes), func(p *member) bool { return p == m || !s.cuts[s.pairOf(m, p)] })
}

// due returns the changes that a run of a node has not received yet.
func (s *Supervisor) due(m *member) (cut, mend []string) {
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

// setHalves sends the nodes their changes, one at a time. A node that loses many peers
// comes before those that lose it: while it receives the change its global is blocked,
// and so does not report the loss of some uninvolved nodes to others.
func (s *Supervisor) setHalves() {
	if s.closing() {
		return
	}
	for _, m := range s.nodes {
		if !m.live || m.paused || m.setting || s.now.Before(m.setAt) {
			continue
		}
		if cut, mend := s.due(m); len(cut)+len(mend) > 0 && !s.yields(cut) {
			m.setting = true
			s.do(SetHalf{m.report(), cut, mend})
		}
	}
}

// yields reports whether one of the peers to disconnect from comes first.
func (s *Supervisor) yields(cut []string) bool {
	return slices.ContainsFunc(cut, func(name string) bool {
		p := s.byName[name]
		theirs, _ := s.due(p)
		return p.live && !p.paused && p.setAt.IsZero() && len(theirs) > len(cut)
	})
}

// halfAt returns when to retry a node that could not be reached; zero if there is none.
func (s *Supervisor) halfAt(m *member) time.Time {
	if s.closing() || !m.live || m.paused || m.setting {
		return time.Time{}
	}
	if cut, mend := s.due(m); len(cut)+len(mend) == 0 || s.yields(cut) {
		return time.Time{}
	}
	return m.setAt
}

func (s *Supervisor) halfSet(msg HalfSet) {
	m, stale := s.stale(msg.RunID)
	if stale {
		return
	}
	m.setting = false
	if msg.Err != nil {
		m.setAt = s.now.Add(connectLate)
		if !errors.Is(msg.Err, erldist.ErrClosed) { // otherwise the node is gone, or its link is being dialled again
			s.failCuts(m, msg.Err)
		}
		return
	}
	m.setAt = time.Time{}
	for _, name := range msg.Cut {
		p := s.byName[name]
		m.setOdd(p, true)
		m.parted(p)
	}
	for _, name := range msg.Mend {
		m.setOdd(s.byName[name], false)
	}
	s.sweepNow()
}

// seenThough sends a pair its disconnection again if one still sees the other: a
// handshake that began before may end after it.
func (s *Supervisor) seenThough() {
	if s.sweep.again { // it was asked before the change was sent
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

// failCuts answers the requests that wait for a node's half.
func (s *Supervisor) failCuts(m *member, err error) {
	s.cutWaiters = slices.DeleteFunc(s.cutWaiters, func(w cutWaiter) bool {
		if !slices.ContainsFunc(w.pairs, func(k pair) bool { return k.a == m.name || k.b == m.name }) {
			return false
		}
		s.do(Reply{w.Waiter, fmt.Errorf("%s: %w", m.name, err)})
		return true
	})
}

// answerCuts answers the requests whose pairs have their halves.
func (s *Supervisor) answerCuts() {
	s.cutWaiters = slices.DeleteFunc(s.cutWaiters, func(w cutWaiter) bool {
		if s.closing() {
			s.do(Reply{w.Waiter, orchestrator.ErrClosed})
			return true
		}
		for _, k := range w.pairs {
			a, b := s.byName[k.a], s.byName[k.b]
			if s.cuts[k] != w.apart {
				s.do(Reply{w.Waiter, fmt.Errorf("%s and %s: %w: another request asked for the opposite", k.a, k.b, orchestrator.ErrConflict)})
				return true
			}
			if a.live && (a.setting || a.odd[b.name] != w.apart) || b.live && (b.setting || b.odd[a.name] != w.apart) {
				return false
			}
		}
		s.do(Reply{w.Waiter, nil})
		return true
	})
}

// heal removes the pairs that are connected again, or of which one node is gone: from
// then on the mesh handles them.
func (s *Supervisor) heal(sees map[string]Sight) {
	for key := range s.healing {
		a, b := s.byName[key.a], s.byName[key.b]
		fresh := sees[a.name].Inc == a.inc && sees[b.name].Inc == b.inc
		met := fresh && a.sees(b) && b.sees(a)
		gone := !a.state.Running() || !b.state.Running()
		if met || gone {
			delete(s.healing, key)
		}
	}
}

// mending reports whether a pair to be reconnected still refuses each other. Until then
// no pair is connected: if nodes connect one after another, global would disconnect some
// of them.
func (s *Supervisor) mending() bool {
	for key := range s.healing {
		a, b := s.byName[key.a], s.byName[key.b]
		if a.live && b.live && !a.paused && !b.paused && s.apart(a, b) {
			return true
		}
	}
	return false
}

// toHeal returns the peers that a node must reconnect to, in any mesh mode.
func (s *Supervisor) toHeal(m *member) []*member {
	var peers []*member
	for _, p := range s.livePeers(m) {
		if _, ok := s.healing[s.pairOf(m, p)]; ok && (!m.sees(p) || !p.sees(m)) {
			peers = append(peers, p)
		}
	}
	return peers
}

// cutFromPeers degrades a node that is healthy except for disconnected peers. It is not
// diagnosed.
func (s *Supervisor) cutFromPeers(m *member, severed []*member) {
	m.cutOff, m.wasReady = true, true
	m.found, m.told, m.unwell = nil, nil, time.Time{}
	s.setState(m, orchestrator.Degraded, onPurpose(severed), hintReconnect)
}

// noLongerByCutAlone notes that the node also has another problem.
func (s *Supervisor) noLongerByCutAlone(m *member) {
	if m.cutOff {
		m.cutOff = false
		s.suspected(m, m.state)
	}
}

// onPurpose returns the reason of a node that is disconnected from peers.
func onPurpose(peers []*member) string {
	return "disconnected from " + joinNames(peers) + " on purpose"
}

// hintReconnect says how to end a disconnection.
const hintReconnect = "Cluster.Reconnect ends it: a restart does not"

// apartWords lists the disconnected pairs for an event of the cluster.
func (s *Supervisor) apartWords() string {
	var pairs []string
	for key := range s.cuts {
		pairs = append(pairs, key.a+"-"+key.b)
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ", ")
}
