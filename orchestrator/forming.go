package orchestrator

import (
	"errors"
	"fmt"
	"slices"
)

// This file is the part of the supervisor that decides when the cluster as a whole is up,
// and takes it down.

// ready reports whether every node is Ready and every pair sees each other.
func (s *supervisor) ready() bool {
	return len(s.cuts) == 0 && s.together() && !slices.ContainsFunc(s.nodes, func(m *member) bool { return m.cutOff })
}

// together reports the same as ready, but ignores pairs that are disconnected on purpose.
func (s *supervisor) together() bool {
	for _, m := range s.nodes {
		if m.state != Ready && !m.cutOff {
			return false
		}
		for _, peer := range s.nodes {
			if peer != m && s.spec.Mesh != MeshNone && !m.sees(peer) && !s.excused(m, peer) {
				return false
			}
		}
	}
	return true
}

// checkForming ends the forming: with success, or by taking the cluster down.
func (s *supervisor) checkForming() {
	if s.formed || s.closing() || s.deadline.IsZero() {
		return
	}
	if s.together() { // a deliberate disconnection does not fail the cluster
		s.formed = true
		how := "every pair connected"
		if s.spec.Mesh == MeshNone {
			how = "each by itself"
		}
		if len(s.cuts) > 0 {
			how += " but what is kept apart on purpose: " + s.apartWords()
		}
		s.emit(EventPhase, "", "ready: %s, %s", count(len(s.nodes), "node"), how)
		return
	}
	failed := slices.ContainsFunc(s.nodes, func(m *member) bool { return m.state.Final() && m.busy == idle })
	failed = failed || s.doomed()
	late := !s.now.Before(s.deadline)
	if !failed && !late {
		return
	}
	kind := ErrNodeFailed
	if !failed {
		kind = ErrNotReady
	}
	s.cause = s.explain(kind)
	s.emit(EventPhase, "", "giving up: %v", kind)
	s.fail()
}

// checkFailed takes a formed cluster down if one of its nodes failed for good and the
// spec requires it.
func (s *supervisor) checkFailed() {
	if s.spec.OnFailed != FailedStopCluster || s.collecting {
		return
	}
	if failed := s.failed(); failed != nil {
		s.cause = failed
		s.emit(EventPhase, "", "stopping the cluster: %s failed", failed.Problems[0].Node)
		s.fail()
	}
}

// leave ends the supervision and keeps everything.
func (s *supervisor) leave() {
	s.emit(EventPhase, "", "kept for a look: remove it with `beamyard down %s`", s.spec.Name)
	s.end(s.cause)
}

// end answers all requests and reports that the cluster is over.
func (s *supervisor) end(err error) {
	s.over = true
	for _, w := range s.downers {
		s.do(actReply{w, err})
	}
	for _, m := range s.nodes {
		s.answer(&m.startWaiters, ErrClosed)
		s.answer(&m.stopWaiters, nil)
	}
	s.do(actDone{err})
}

// explain lists the nodes that are not Ready. Nodes that ended come first: the others
// usually wait for them.
func (s *supervisor) explain(kind error) *ClusterError {
	e := &ClusterError{Cluster: s.spec.Name, Kind: kind, Kept: s.spec.KeepOnFailure}
	for _, m := range s.nodes {
		if m.state == Ready || (kind == ErrNodeFailed && !m.doomed && (!m.state.Final() || s.formed && m.state != Failed)) { //nolint:errorlint // a value of this package, not an error received
			continue
		}
		reason := m.reason
		if reason == "" {
			reason = "no answer yet"
		}
		if m.hist.waits > 0 && !m.state.Final() && !m.wasReady {
			reason = m.hist.waiting()
		}
		hint := m.hint
		if hint == "" {
			hint = s.lookCloser(m)
		}
		e.Problems = append(e.Problems, NodeProblem{Node: m.name, State: m.state, Reason: reason, Hint: hint, Findings: m.found})
	}
	return e
}

// lookCloser returns the hint if there is no better one. A cluster that never formed is
// removed, and its logs with it.
func (s *supervisor) lookCloser(m *member) string {
	if s.spec.KeepOnFailure {
		return lookAt(s.spec.Name, m.name)
	}
	if s.formed {
		return fmt.Sprintf("beamyard logs %s --tail 50", m.name)
	}
	return fmt.Sprintf("its last lines are above; look around in its image: docker run --rm -it %s sh", s.spec.filled(m.index).Image)
}

// failed returns the nodes that failed for good since the cluster formed. Before that, a
// failure ends the forming itself.
func (s *supervisor) failed() *ClusterError {
	if !s.formed || s.down || !slices.ContainsFunc(s.nodes, func(m *member) bool { return m.state == Failed }) {
		return nil
	}
	return s.explain(ErrNodeFailed)
}

// understood returns the same as failed, once the cause is diagnosed.
func (s *supervisor) understood() *ClusterError {
	due := !s.why.at.IsZero() && !s.now.Before(s.why.at) // even while other ends are examined
	if !s.closing() && (s.why.running || due) {
		return nil
	}
	return s.failed()
}

// bringDown stops all nodes; checkDown removes the cluster once all is quiet.
func (s *supervisor) bringDown() {
	s.collecting = false // a requested end does not wait for the hook
	if !s.down {
		s.down = true
		s.emit(EventPhase, "", "stopping %s", count(len(s.nodes), "node"))
	}
	for _, m := range s.nodes {
		s.stop(m)
	}
}

func (s *supervisor) checkDown() {
	if !s.down || s.removing || slices.ContainsFunc(s.nodes, func(m *member) bool { return !m.quiet() }) {
		return
	}
	s.removing = true
	if s.cause != nil && s.spec.KeepOnFailure && len(s.downers) == 0 {
		s.leave()
		return
	}
	s.do(actRemove{})
}

func (s *supervisor) removed(err error) {
	if err == nil {
		if s.spec.hasVolumes() {
			s.emit(EventPhase, "", "removed: nothing is left but its volumes; remove them with `beamyard down %s --volumes`", s.spec.Name)
		} else {
			s.emit(EventPhase, "", "removed: nothing is left")
		}
	}
	for _, w := range s.downers {
		s.do(actReply{w, err})
	}
	s.downers = nil
	s.end(errors.Join(s.cause, err))
}
