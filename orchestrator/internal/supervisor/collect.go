package supervisor

import "github.com/beamyard/beamyard/orchestrator"

type (
	// Collect calls the hook before the cluster ends; reply [Collected].
	Collect struct {
		Cause     error
		Snapshots []NodeSnapshot
	}
	// Collected ends [Collect].
	Collected struct{ Found []orchestrator.Finding }
)

func (Collect) isAction() {}

func (Collected) isMessage() {}

// fail ends a cluster because of s.cause. The hook runs first: nothing is stopped,
// removed or restarted until [Collected], or until a user requests the end.
func (s *Supervisor) fail() {
	s.phase = phaseFailing
	s.emit(orchestrator.EventPhase, "", "looking for the cause")
	s.do(Collect{s.cause, s.snapshots()})
}

// collected continues with the end of the cluster.
func (s *Supervisor) collected() {
	if s.phase == phaseFailing {
		s.afterFailure()
	}
}

// afterFailure keeps or removes the cluster. A cluster that never formed is kept as it
// is; the nodes of one that formed are stopped first.
func (s *Supervisor) afterFailure() {
	if s.spec.KeepOnFailure && !s.formed {
		s.leave()
		return
	}
	s.bringDown()
}
