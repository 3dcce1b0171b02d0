package supervisor

import (
	"fmt"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file handles nodes that start after others: [orchestrator.NodeSpec].After. The order
// applies when a cluster first starts, like Compose's depends_on with service_healthy. A
// node that was started once is restarted independently of the others. So is a node that a
// user starts manually, who may want it to run while the others are down.

// hold marks all Pending nodes as held, and launches those that wait for no others.
func (s *Supervisor) hold() {
	for _, m := range s.nodes {
		if m.state == orchestrator.Pending {
			m.held = true
		}
	}
	s.release()
}

// release launches the held nodes that no longer wait. If a node that one waits for
// failed for good, or ended, the waiting node fails with that reason.
func (s *Supervisor) release() {
	for again := true; again; { // a failure propagates along a chain
		again = false
		for _, m := range s.nodes {
			if !m.held || m.state != orchestrator.Pending || m.busy != idle || s.closing() {
				continue
			}
			waits, lost := s.awaited(m)
			switch {
			case lost != nil:
				m.held, again = false, true
				s.setState(m, orchestrator.Failed, fmt.Sprintf("not started: it starts after %s, which %s", lost.name, past(lost.state)), nil)
			case len(waits) == 0:
				m.held = false
				s.launch(m)
			default:
				reason := "waits for " + strings.Join(waits, ", ")
				if m.reason == "" {
					s.emit(orchestrator.EventNote, m.name, "%s %s", m.name, reason)
				}
				m.reason = reason
			}
		}
	}
}

// awaited returns the nodes that a held one waits for, with their states, or the first
// one that will not become Ready.
func (s *Supervisor) awaited(m *member) (waits []string, lost *member) {
	for _, name := range s.spec.StartsAfter(m.index) {
		p := s.byName[name]
		switch {
		case p == nil, p.state == orchestrator.Ready, p.onlyDisconnected:
		case p.state == orchestrator.Failed, p.state == orchestrator.Completed:
			return nil, p
		default:
			waits = append(waits, fmt.Sprintf("%s (%s)", name, p.state))
		}
	}
	return waits, nil
}

func past(state orchestrator.State) string {
	if state == orchestrator.Completed {
		return "ended"
	}
	return "failed"
}
