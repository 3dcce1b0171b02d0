package supervisor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/redial"
)

// This file is the part of the supervisor that makes each run of a node refuse its
// disconnected peers, and reconnects pairs. See partition.go.

// recordDisconnected records that two nodes are disconnected, now or earlier in this run.
func (m *member) recordDisconnected(p *member) {
	if m.everDisconnected == nil {
		m.everDisconnected = map[string]bool{}
	}
	m.everDisconnected[p.name] = true
}

// setBlocked records whether this run of a node refuses a peer, or may.
func (m *member) setBlocked(p *member, blocked bool) {
	if m.blocked == nil {
		m.blocked = map[string]bool{}
	}
	if blocked {
		m.blocked[p.name] = true
	} else {
		delete(m.blocked, p.name)
	}
}

// mustNotConnect reports whether two nodes must not be connected now: they are disconnected on
// purpose, a fault cuts them off, or one of them still refuses the other.
func (s *Supervisor) mustNotConnect(m, p *member) bool {
	key := s.pairOf(m, p)
	return s.disconnected[key] || s.cut[key] != "" || m.blocked[p.name] || p.blocked[m.name]
}

// exempt reports whether two nodes need not be connected: they are disconnected on
// purpose, are cut off by a fault, or are being reconnected.
func (s *Supervisor) exempt(a, b *member) bool {
	if s.whole() {
		return false
	}
	key := s.pairOf(a, b)
	return s.disconnected[key] || s.cut[key] != "" || s.now.Before(s.healing[key])
}

// whole reports whether no pair is exempt.
func (s *Supervisor) whole() bool { return len(s.disconnected)+len(s.cut)+len(s.healing) == 0 }

// exemptPeers returns the missing peers for which a node is Degraded.
func (s *Supervisor) exemptPeers(m *member) []*member {
	return s.others(m, func(p *member) bool { return s.exempt(m, p) })
}

// disconnectedFrom returns the peers that a node is disconnected from.
func (s *Supervisor) disconnectedFrom(m *member) []*member {
	if len(s.disconnected) == 0 {
		return nil
	}
	return s.others(m, func(p *member) bool { return s.disconnected[s.pairOf(m, p)] })
}

// refuse reports whether the VMs of two nodes are to refuse each other.
func (s *Supervisor) refuse(a, b *member) bool {
	key := s.pairOf(a, b)
	return s.disconnected[key] || s.cutByVMs[key]
}

// pendingBlocks returns the changes that a run of a node has not received yet.
func (s *Supervisor) pendingBlocks(m *member) (block, unblock []string) {
	if len(s.disconnected)+len(s.cutByVMs)+len(m.blocked) == 0 {
		return nil, nil
	}
	for _, p := range s.nodes {
		if p == m {
			continue
		}
		switch wanted := s.refuse(m, p); {
		case wanted && !m.blocked[p.name]:
			block = append(block, p.name)
		case !wanted && m.blocked[p.name]:
			unblock = append(unblock, p.name)
		}
	}
	return block, unblock
}

// sendBlocks sends the nodes their changes, one at a time. A node that loses many peers
// comes before those that lose it: while it receives the change its global is blocked,
// and so does not report the loss of some uninvolved nodes to others.
func (s *Supervisor) sendBlocks() {
	if s.closing() {
		return
	}
	for _, m := range s.nodes {
		if !m.live || m.paused || m.sendingBlocks || s.now.Before(m.retryBlocksAt) {
			continue
		}
		if block, unblock := s.pendingBlocks(m); len(block)+len(unblock) > 0 && !s.yields(block) {
			m.sendingBlocks = true
			s.do(SetBlocked{m.report(), block, unblock})
		}
	}
}

// yields reports whether one of the peers to disconnect from comes first.
func (s *Supervisor) yields(block []string) bool {
	return slices.ContainsFunc(block, func(name string) bool {
		p := s.byName[name]
		theirs, _ := s.pendingBlocks(p)
		return p.live && !p.paused && p.retryBlocksAt.IsZero() && len(theirs) > len(block)
	})
}

// blocksAt returns when to retry a node that could not be reached; zero if there is none.
func (s *Supervisor) blocksAt(m *member) time.Time {
	if s.closing() || !m.live || m.paused || m.sendingBlocks {
		return time.Time{}
	}
	if block, unblock := s.pendingBlocks(m); len(block)+len(unblock) == 0 || s.yields(block) {
		return time.Time{}
	}
	return m.retryBlocksAt
}

func (s *Supervisor) blockedSet(msg BlockedSet) {
	m, stale := s.stale(msg.RunID)
	if stale {
		return
	}
	m.sendingBlocks = false
	if msg.Err != nil {
		m.retryBlocksAt = s.now.Add(redial.Late)
		if !errors.Is(msg.Err, erldist.ErrClosed) { // otherwise the node is gone, or its link is being dialled again
			s.failPartitions(m, msg.Err)
		}
		return
	}
	m.retryBlocksAt = time.Time{}
	for _, name := range msg.Block {
		p := s.byName[name]
		m.setBlocked(p, true)
		m.recordDisconnected(p)
	}
	for _, name := range msg.Unblock {
		m.setBlocked(s.byName[name], false)
	}
	s.sweepNow()
}

// resendIfSeen sends a pair its disconnection again if one still sees the other: a
// handshake that began before may end after it.
func (s *Supervisor) resendIfSeen() {
	if s.sweep.again { // it was asked before the change was sent
		return
	}
	for _, m := range s.nodes {
		for _, p := range s.nodes {
			if p != m && m.live && m.sees(p) && s.refuse(m, p) && !m.sendingBlocks {
				m.setBlocked(p, false)
			}
		}
	}
}

// failPartitions answers the requests that wait for a change of a node.
func (s *Supervisor) failPartitions(m *member, err error) {
	s.partitionWaiters = slices.DeleteFunc(s.partitionWaiters, func(w partitionWaiter) bool {
		if !slices.ContainsFunc(w.pairs, func(k pair) bool { return k.a == m.name || k.b == m.name }) {
			return false
		}
		s.do(Reply{w.Waiter, fmt.Errorf("%s: %w", m.name, err)})
		return true
	})
}

// answerPartitions answers the requests whose pairs are as requested.
func (s *Supervisor) answerPartitions() {
	s.partitionWaiters = slices.DeleteFunc(s.partitionWaiters, func(w partitionWaiter) bool {
		if s.closing() {
			s.do(Reply{w.Waiter, orchestrator.ErrClosed})
			return true
		}
		for _, k := range w.pairs {
			a, b := s.byName[k.a], s.byName[k.b]
			if s.disconnected[k] != w.apart {
				s.do(Reply{w.Waiter, fmt.Errorf("%s and %s: %w: another request asked for the opposite", k.a, k.b, orchestrator.ErrConflict)})
				return true
			}
			if a.live && (a.sendingBlocks || a.blocked[b.name] != w.apart) || b.live && (b.sendingBlocks || b.blocked[a.name] != w.apart) {
				return false
			}
		}
		s.do(Reply{w.Waiter, nil})
		return true
	})
}

// dropHealed removes the pairs that are connected again, or of which one node is gone: from
// then on the mesh handles them.
func (s *Supervisor) dropHealed(sees map[string]Sight) {
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

// stillHealing reports whether a pair to be reconnected still refuses each other. Until then
// no pair is connected: if nodes connect one after another, global would disconnect some
// of them.
func (s *Supervisor) stillHealing() bool {
	for key := range s.healing {
		a, b := s.byName[key.a], s.byName[key.b]
		if a.live && b.live && !a.paused && !b.paused && s.mustNotConnect(a, b) {
			return true
		}
	}
	return false
}

// peersToHeal returns the peers that a node must reconnect to, in any mesh mode.
func (s *Supervisor) peersToHeal(m *member) []*member {
	if len(s.healing) == 0 {
		return nil
	}
	return s.others(m, func(p *member) bool {
		_, heals := s.healing[s.pairOf(m, p)]
		return p.live && heals && (!m.sees(p) || !p.sees(m))
	})
}

// degradeByPartition degrades a node that is healthy except for disconnected peers. It is not
// diagnosed.
func (s *Supervisor) degradeByPartition(m *member, peers []*member) {
	m.onlyDisconnected, m.wasReady = true, true
	m.found, m.told, m.unwell = nil, nil, time.Time{}
	next := s.reconnect(m)
	if ids, _ := s.cutBy(m); len(ids) > 0 {
		next = hint.Of(hint.Heal.On(s.spec.Name))
	}
	s.setState(m, orchestrator.Degraded, s.exemptReason(m, peers), next)
}

// noLongerOnlyDisconnected notes that the node also has another problem.
func (s *Supervisor) noLongerOnlyDisconnected(m *member) {
	if m.onlyDisconnected {
		m.onlyDisconnected = false
		s.suspected(m, m.state)
	}
}

// disconnectedReason returns the reason of a node that is disconnected from peers.
func disconnectedReason(peers []*member) string {
	return "disconnected from " + joinNames(peers) + " on purpose"
}

// reconnect says how to end a disconnection.
func (s *Supervisor) reconnect(m *member) hint.Hint {
	return hint.Newf("only %s reconnects them: a restart does not", hint.Reconnect.On(s.spec.Name, m.name))
}

// disconnectedPairs lists the disconnected pairs for an event of the cluster.
func (s *Supervisor) disconnectedPairs() string {
	var pairs []string
	for key := range s.disconnected {
		pairs = append(pairs, key.a+"-"+key.b)
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ", ")
}
