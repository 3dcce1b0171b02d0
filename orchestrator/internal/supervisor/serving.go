package supervisor

import (
	"fmt"
	"net/netip"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// LoopbackNews says that an application listens only on loopback, and what was done about
// it.
type LoopbackNews struct {
	At        netip.AddrPort
	Forwarded bool
	Err       error // why it could not be forwarded
}

// serves records what listens on a node's HTTP port, and reports each loopback address
// once: all nodes of a project have the same.
func (s *Supervisor) serves(msg Serving) {
	m, stale := s.stale(msg.RunID)
	if stale {
		return
	}
	m.serving = msg.Is
	for _, n := range msg.News {
		if s.saidOf[n.At.String()] {
			continue
		}
		s.saidOf[n.At.String()] = true
		var next hint.Hint
		what := fmt.Sprintf("%s listens on %s only, inside its container: ", m.name, n.At)
		switch {
		case n.Forwarded:
			what += fmt.Sprintf("port %d is forwarded there (have it listen on 0.0.0.0 to do without)", n.At.Port())
		case n.Err != nil:
			what += fmt.Sprintf("it cannot be reached, and not be forwarded: %v", n.Err)
		default:
			what += "it cannot be reached"
			next = hint.Newf("have it listen on 0.0.0.0, or set %s", hint.Setting("loopback: forward"))
		}
		s.advise(orchestrator.EventNote, m.name, next, what)
	}
}
