package supervisor

import (
	"slices"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file is the part of the supervisor that fails a cluster before its deadline, if
// the findings show that waiting is useless.

// doom notes that a node will never be Ready. For a run that ended, one finding is
// enough. On a running VM it must be found twice, because the VM may be one that a script
// starts before the node's.
func (s *Supervisor) doom(m *member) {
	switch lasting := lasts(m.found, m.name); {
	case m.doomed:
	case !lasting || m.wasReady || s.formed || m.state != orchestrator.Starting && m.state != orchestrator.BackingOff && m.state != orchestrator.Failed:
		m.lastingSince = time.Time{}
	case m.state != orchestrator.Starting:
		m.doomed = true
	case m.lastingSince.IsZero():
		m.lastingSince = s.now
	case s.now.Sub(m.lastingSince) >= askSure:
		m.doomed = true
	}
}

func lasts(found []orchestrator.Finding, node string) bool {
	return slices.ContainsFunc(orchestrator.RootCauses(found), func(f orchestrator.Finding) bool { return f.Lasting && f.Node == node })
}

// doomedBefore notes that a node will never be Ready because of the end of its previous
// run.
func (s *Supervisor) doomedBefore(m *member, msg Diagnosed) bool {
	m.doomed = m.doomed || m.startedSince(msg.Asked[m.name]) && !s.formed && lasts(orchestrator.FindingsFor(msg.Found, m.name), m.name)
	return m.doomed
}

// askStarting asks again about starting nodes: when an inspection can show something,
// when a finding needs confirmation, and when the nodes are no longer young.
func (s *Supervisor) askStarting() {
	for _, m := range s.nodes {
		if m.state != orchestrator.Starting || m.doomed {
			continue
		}
		began := m.beganAt
		if !m.begun {
			began = s.now
		}
		for _, at := range []time.Time{began.Add(AskFirst), began.Add(AskAfter)} {
			if at.After(s.now) {
				s.askWhy(at)
			}
		}
		if !m.lastingSince.IsZero() {
			s.askWhy(s.now.Add(askSure))
		}
	}
}

// doomed reports whether any node will never be Ready.
func (s *Supervisor) doomed() bool {
	return slices.ContainsFunc(s.nodes, func(m *member) bool { return m.doomed })
}
