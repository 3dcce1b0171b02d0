package supervisor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

// This file is the part of the supervisor that knows which faults are in force. It injects none:
// package faults does, for any process. But if a fault says disconnect, the supervisor makes the
// VMs refuse each other: see partition.go. A pair that a fault cuts is not missing,
// is not diagnosed, and is connected again once it is healed.

// FaultsInForce reports the faults that are recorded now. If Partial is set, a host does not answer,
// and there may be others; those of Healed are none.
type FaultsInForce struct {
	Faults  []fault.Fault
	Partial bool
	Healed  []string
}

// with returns the faults that are recorded, as far as is known, if was were before.
func (r FaultsInForce) with(was []fault.Fault) []fault.Fault {
	all := slices.Clone(r.Faults)
	for _, f := range was {
		listed := slices.ContainsFunc(r.Faults, func(l fault.Fault) bool { return l.ID == f.ID })
		if r.Partial && !listed && !slices.Contains(r.Healed, f.ID) {
			all = append(all, f)
		}
	}
	return all
}

func (FaultsInForce) isMessage() {}

// ApplyFaults gives nodes what the faults in force want, and takes back what ended ones wanted.
type ApplyFaults struct{ Nodes []string }

func (ApplyFaults) isAction() {}

// faultsChanged handles a report: it compares the faults with those known before.
func (s *Supervisor) faultsChanged(all []fault.Fault) {
	was := s.faults
	s.faults = slices.DeleteFunc(slices.Clone(all), func(f fault.Fault) bool { return f.Ended(s.now) })
	for _, f := range s.faults {
		if !slices.ContainsFunc(was, func(w fault.Fault) bool { return w.ID == f.ID }) {
			s.tellFault(f, false, f.ID+": "+f.String())
		}
	}
	for _, f := range was {
		if !slices.ContainsFunc(s.faults, func(n fault.Fault) bool { return n.ID == f.ID }) {
			s.tellFault(f, true, f.ID+" is healed")
			s.forgetFaults()
			if f.Kind == fault.KindSqueeze && f.Ended(s.now) { // no kernel ends it
				s.do(ApplyFaults{f.Nodes})
			}
		}
	}
	s.cutPairs()
}

// forgetFaults takes the faults out of what was found about nodes that ended: nothing
// diagnoses those again, and nobody should heal what is healed.
func (s *Supervisor) forgetFaults() {
	for _, m := range s.nodes {
		if !m.state.Running() {
			m.found = withoutFaults(m.found)
		}
	}
}

func withoutFaults(found []orchestrator.Finding) []orchestrator.Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f orchestrator.Finding) bool { return f.Code == "fault-in-force" })
}

// Faults returns the faults in force.
func (s *Supervisor) Faults() []fault.Fault { return s.faults }

func (s *Supervisor) tellFault(f fault.Fault, healed bool, text string) {
	s.do(Fault{Text: text, Fault: &f, Healed: healed})
	s.do(Emit{orchestrator.Event{Kind: orchestrator.EventFault, Text: text}})
}

// cutPairs finds the pairs that the faults cut, in one direction at least: a connection needs
// both.
func (s *Supervisor) cutPairs() {
	was := s.cut
	s.cut, s.cutByVMs = map[pair]string{}, map[pair]bool{}
	names := namesOf(s.nodes)
	for _, f := range s.faults {
		for _, p := range f.Cuts(names) {
			a, b := s.byName[p.From], s.byName[p.To]
			key := s.pairOf(a, b)
			if s.cut[key] == "" {
				s.cut[key] = f.ID
			}
			if f.How == fault.Disconnect {
				s.cutByVMs[key] = true
			}
			a.recordDisconnected(b)
			b.recordDisconnected(a)
		}
	}
	for key := range s.cut {
		delete(s.healing, key)
	}
	for key := range was {
		if _, still := s.cut[key]; still {
			continue
		}
		a, b := s.byName[key.a], s.byName[key.b]
		if a.live && b.live {
			s.healing[key] = s.now.Add(healTime)
		}
		for _, end := range []*member{a, b} {
			end.dialling.Reset()
		}
	}
	if len(was) > 0 {
		s.sweepNow()
	}
}

// endFaults heals the faults whose end has come, as the kernel does.
func (s *Supervisor) endFaults() {
	if at := fault.NextEnd(s.faults); !at.IsZero() && !s.now.Before(at) {
		s.faultsChanged(s.faults)
	}
}

// cutBy returns the faults that cut a node off from some peers, and those peers.
func (s *Supervisor) cutBy(m *member) (ids []string, peers []*member) {
	for _, p := range s.nodes {
		if id := s.cut[s.pairOf(m, p)]; p != m && id != "" {
			peers = append(peers, p)
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids, peers
}

// exemptReason says why a node is not connected to the exempt peers.
func (s *Supervisor) exemptReason(m *member, exempt []*member) string {
	ids, peers := s.cutBy(m)
	if len(ids) == 0 {
		return disconnectedReason(exempt)
	}
	others := slices.DeleteFunc(slices.Clone(exempt), func(p *member) bool { return slices.Contains(peers, p) })
	reason := fmt.Sprintf("cut off from %s by %s", joinNames(peers), strings.Join(ids, ", "))
	if len(others) > 0 {
		reason += "; " + disconnectedReason(others)
	}
	return reason
}
