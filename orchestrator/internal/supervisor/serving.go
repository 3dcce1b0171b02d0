package supervisor

import "github.com/beamyard/beamyard/orchestrator"

// serves records what listens on a node's HTTP port, and reports each loopback address
// once: all nodes of a project have the same.
func (s *Supervisor) serves(msg Serving) {
	m, stale := s.stale(msg.RunID)
	if stale {
		return
	}
	m.serving = msg.Is
	for _, n := range msg.News {
		if !s.saidOf[n.At.String()] {
			s.saidOf[n.At.String()] = true
			text, next := n.Describe(m.name)
			s.advise(orchestrator.EventNote, m.name, next, text)
		}
	}
}
