package supervisor

import (
	"errors"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/english"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file is the part of the supervisor that decides when the cluster as a whole is up,
// and takes it down.

// ready reports whether every node is Ready and every pair sees each other.
func (s *Supervisor) ready() bool {
	return len(s.disconnected)+len(s.cut) == 0 && s.together() && !slices.ContainsFunc(s.nodes, func(m *member) bool { return m.onlyDisconnected })
}

// together reports the same as ready, but ignores pairs that are disconnected on purpose.
func (s *Supervisor) together() bool {
	for _, m := range s.nodes {
		if m.state != orchestrator.Ready && !m.onlyDisconnected {
			return false
		}
		for _, peer := range s.nodes {
			if peer != m && s.spec.Mesh != orchestrator.MeshNone && !m.sees(peer) && !s.exempt(m, peer) {
				return false
			}
		}
	}
	return true
}

// checkForming ends the forming: with success, or by taking the cluster down.
func (s *Supervisor) checkForming() {
	if s.formed || s.closing() || s.deadline.IsZero() {
		return
	}
	if s.together() { // a deliberate disconnection does not fail the cluster
		s.formed = true
		how := "every pair connected"
		if s.spec.Mesh == orchestrator.MeshNone {
			how = "each by itself"
		}
		if len(s.disconnected) > 0 {
			how += " but what is kept apart on purpose: " + s.disconnectedPairs()
		}
		s.emit(orchestrator.EventPhase, "", "ready: %s, %s", english.Plural(len(s.nodes), "node", "nodes"), how)
		return
	}
	failed := slices.ContainsFunc(s.nodes, func(m *member) bool { return m.state.Final() && m.busy == idle })
	failed = failed || s.doomed()
	late := !s.now.Before(s.deadline)
	if !failed && !late {
		return
	}
	kind := orchestrator.ErrNodeFailed
	if !failed {
		kind = orchestrator.ErrNotReady
	}
	s.cause = s.explain(kind)
	s.emit(orchestrator.EventPhase, "", "giving up: %v", kind)
	s.fail()
}

// checkFailed takes a formed cluster down if one of its nodes failed for good and the
// spec requires it. A new image that does not boot stops its upgrade, and not the cluster.
func (s *Supervisor) checkFailed() {
	if s.spec.OnFailed != orchestrator.FailedStopCluster || s.phase == phaseFailing ||
		!slices.ContainsFunc(s.nodes, func(m *member) bool { return m.state == orchestrator.Failed && !m.trial }) {
		return
	}
	if failed := s.failed(); failed != nil {
		s.cause = failed
		s.emit(orchestrator.EventPhase, "", "stopping the cluster: %s failed", failed.Problems[0].Node)
		s.fail()
	}
}

// leave ends the supervision and keeps everything.
func (s *Supervisor) leave() {
	s.advise(orchestrator.EventPhase, "", hint.Newf("remove it with `%s`", hint.Down.On(s.spec.Name)), "kept for a look")
	s.end(s.cause)
}

// end answers all requests and reports that the cluster is over.
func (s *Supervisor) end(err error) {
	s.phase = phaseOver
	for _, w := range s.downers {
		s.do(Reply{w, err})
	}
	for _, m := range s.nodes {
		s.answer(&m.startWaiters, orchestrator.ErrClosed)
		s.answer(&m.stopWaiters, nil)
	}
	for _, w := range s.partitionWaiters {
		s.do(Reply{w.Waiter, orchestrator.ErrClosed})
	}
	s.partitionWaiters = nil
	s.do(Done{err})
}

// explain lists the nodes that are not Ready. Nodes that ended come first: the others
// usually wait for them.
func (s *Supervisor) explain(kind error) *orchestrator.ClusterError {
	e := &orchestrator.ClusterError{Cluster: s.spec.Name, Kind: kind, Kept: s.spec.KeepOnFailure}
	for _, m := range s.nodes {
		if m.state == orchestrator.Ready || (kind == orchestrator.ErrNodeFailed && !m.doomed && (!m.state.Final() || s.formed && m.state != orchestrator.Failed)) { //nolint:errorlint // a value of this package, not an error received
			continue
		}
		reason := m.reason
		if reason == "" {
			reason = "no answer yet"
		}
		if m.hist.Waits > 0 && !m.state.Final() && !m.wasReady {
			reason = m.hist.Waiting()
		}
		next := m.hint
		if len(next) == 0 {
			next = s.lookCloser(m)
		}
		e.Problems = append(e.Problems, orchestrator.NodeProblem{Node: m.name, State: m.state, Reason: reason, Hint: next, Findings: m.found})
	}
	return e
}

// lookCloser returns the hint if there is no better one. A cluster that never formed is
// removed, and its logs with it.
func (s *Supervisor) lookCloser(m *member) hint.Hint {
	if s.spec.KeepOnFailure {
		return orchestrator.KeptHint(s.spec.Name, m.name)
	}
	if s.formed {
		return hint.Of(hint.Tail.On("", m.name))
	}
	return hint.Newf("its last lines are above; look around in its image: docker run --rm -it %s sh", s.spec.NodeAt(m.index).Image)
}

// failed returns the nodes that failed for good since the cluster formed. Before that, a
// failure ends the forming itself.
func (s *Supervisor) failed() *orchestrator.ClusterError {
	if !s.formed || s.goingDown() || !slices.ContainsFunc(s.nodes, func(m *member) bool { return m.state == orchestrator.Failed }) {
		return nil
	}
	return s.explain(orchestrator.ErrNodeFailed)
}

// Understood returns the same as failed, once the cause is diagnosed.
func (s *Supervisor) Understood() *orchestrator.ClusterError {
	due := !s.why.at.IsZero() && !s.now.Before(s.why.at) // even while other ends are examined
	if !s.closing() && (s.why.running || due) {
		return nil
	}
	return s.failed()
}

// bringDown stops all nodes; checkDown removes the cluster once all is quiet.
func (s *Supervisor) bringDown() {
	if s.phase < phaseStopping { // a requested end does not wait for the hook
		s.phase = phaseStopping
		s.emit(orchestrator.EventPhase, "", "stopping %s", english.Plural(len(s.nodes), "node", "nodes"))
	}
	for _, m := range s.nodes {
		s.stop(m)
	}
}

func (s *Supervisor) checkDown() {
	if s.phase != phaseStopping || slices.ContainsFunc(s.nodes, func(m *member) bool { return !m.quiet() }) {
		return
	}
	s.phase = phaseRemoving
	if s.cause != nil && s.spec.KeepOnFailure && len(s.downers) == 0 {
		s.leave()
		return
	}
	s.do(Remove{})
}

func (s *Supervisor) removed(err error) {
	if err == nil {
		if manifest.HasVolumes(s.spec) {
			s.advise(orchestrator.EventPhase, "", hint.Newf("remove them with `%s`", hint.DownVolumes.On(s.spec.Name)), "removed: nothing is left but its volumes")
		} else {
			s.emit(orchestrator.EventPhase, "", "removed: nothing is left")
		}
	}
	for _, w := range s.downers {
		s.do(Reply{w, err})
	}
	s.downers = nil
	s.end(errors.Join(s.cause, err))
}
