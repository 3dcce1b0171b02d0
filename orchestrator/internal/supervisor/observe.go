package supervisor

import (
	"slices"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file is the part of the supervisor that handles the engine's reports about
// containers: its events, its answers to queries, and what existed before.

// engineEvent handles an event of the engine; each arrives once, in order.
func (s *Supervisor) engineEvent(e orchestrator.ContainerEvent, restarted bool) {
	m := s.byName[e.Labels[orchestrator.LabelNode]]
	elsewhere := m != nil && e.Host != "" && e.Host != s.hostOf(m)
	if m == nil || elsewhere || (m.id != "" && m.id != e.ID) || (!m.runSince.IsZero() && e.Time.Before(m.runSince)) {
		return
	}
	inRun := m.ending == nil && m.state.Running() && !m.runSince.IsZero()
	switch e.Action {
	case "start":
		s.startEvent(m, e)
	case "die":
		if inRun {
			s.died(m, orchestrator.Exit{Code: e.ExitCode, At: e.Time}, true)
			if m.sawStop() && (!restarted || !m.diedUnseen(e.ExitCode)) {
				s.stoppedOutside(m)
			}
		}
	case "kill":
		if (inRun && m.state != orchestrator.Stopping) || m.ending != nil {
			m.signals = append(m.signals, e.Signal)
		}
	case "stop":
		if restarted && m.ending != nil && m.diedUnseen(m.ending.exit.Code) {
			return
		}
		m.withEngine = m.withEngine || restarted && m.want && (inRun || m.ending != nil)
		if m.ending != nil {
			s.stoppedOutside(m)
		} else if inRun && m.state != orchestrator.Stopping {
			m.signals = append(m.signals, "stop")
		}
	case "oom":
		m.oom = m.oom || inRun || m.ending != nil // it may follow the death by 0.1 s
	case "pause", "unpause":
		if inRun {
			m.paused = e.Action == "pause"
		}
	case "destroy":
		if m.id == e.ID && m.busy != launching {
			s.gone(m)
		}
	}
}

// sawStop reports whether the `stop` event came before the death.
func (m *member) sawStop() bool { return slices.Contains(m.signals, "stop") }

func (s *Supervisor) stoppedOutside(m *member) {
	if m.ending != nil {
		m.ending.exit.Class = orchestrator.ExitStoppedOutside
		m.ending.until = s.now
	}
}

func (s *Supervisor) startEvent(m *member, e orchestrator.ContainerEvent) {
	switch {
	case e.Time.Before(m.endedAt): // replayed: it belongs to an earlier run
	case m.busy == launching || m.busy == starting:
		m.id, m.runSince = e.ID, e.Time
		s.running(m)
	case m.state.Running() && m.ending == nil:
		if m.runSince.IsZero() {
			m.runSince = e.Time
		}
	default: // `docker start`, or the second half of `docker restart`
		s.startedOutside(m, e.ID, e.Time)
	}
}

func (s *Supervisor) startedOutside(m *member, id string, at time.Time) {
	if s.goingDown() {
		return
	}
	m.newRun()
	m.id, m.runSince, m.want, m.startedAt = id, at, true, s.now
	s.emit(orchestrator.EventNote, m.name, "%s was started from outside", m.name)
	s.setState(m, orchestrator.Starting, "", nil)
	s.running(m)
}

// exitUnseen is the exit code that an engine reports for an end that it did not observe.
const exitUnseen = 255

// diedUnseen reports whether an engine that restarted stopped a container that was
// already dead. At its start it stops what it believes to be running. For a container
// that had ended it reports 255, or, if the shim had not reported yet, the container's
// own code: a 137 without a SIGKILL of the engine, which comes after the timeout, has
// another sender (20.10, both seen).
func (m *member) diedUnseen(code int) bool {
	return code == exitUnseen || code == orchestrator.CodeKilled && !slices.Contains(m.signals, "9")
}

// lateRemoval is how long after a death the removal of its container still counts as its
// cause.
const lateRemoval = 5 * time.Second

// gone handles the removal of a container from outside.
func (s *Supervisor) gone(m *member) {
	m.id = ""
	m.ending = nil
	e := orchestrator.Exit{Class: orchestrator.ExitRemoved, At: s.now}
	// `docker rm -f` kills first, and a busy engine may report the removal late.
	late := m.state == orchestrator.Failed && m.lastExit != nil && m.lastExit.Class == orchestrator.ExitKilled && s.now.Sub(m.stoppedAt) < lateRemoval
	if m.state.Running() || m.state == orchestrator.BackingOff || late {
		s.downNow(m, e)
		return
	}
	if !s.goingDown() {
		s.emitExit(m, e)
		m.reason = e.String()
	}
}

// compare requests the engine's list. It leaves out nodes with an operation in progress:
// a list from before the container was created, reported after it, would look as if the
// container had been removed.
func (s *Supervisor) compare() {
	s.discard()
	runs := map[string]RunID{}
	for _, m := range s.nodes {
		if m.busy == idle && m.id != "" {
			runs[m.name] = m.report()
		}
	}
	if len(runs) > 0 {
		s.do(List{runs})
	}
}

// seen compares the engine's state of a container with the supervisor's.
func (s *Supervisor) seen(msg Seen) {
	m, stale := s.stale(msg.RunID)
	if stale || m.busy == launching || m.busy == starting || s.phase >= phaseRemoving {
		return
	}
	c := msg.Container
	switch {
	case c == nil:
		if m.id != "" {
			s.gone(m)
		}
	case c.State.Running:
		if !m.state.Running() && m.ending == nil && c.State.StartedAt.After(m.stoppedAt) && m.state != orchestrator.Pending {
			s.startedOutside(m, c.ID, c.State.StartedAt)
			return
		}
		m.paused, m.pid = c.State.Paused, c.State.PID
	case m.state.Running() && m.ending == nil && (m.runSince.IsZero() || !c.State.FinishedAt.Before(m.runSince)):
		e := orchestrator.Exit{Code: c.State.ExitCode, At: c.State.FinishedAt}
		if c.State.OOMKilled {
			e.Class = orchestrator.ExitOOM
		}
		s.died(m, e, false)
	}
}

// adopt takes over a container of a cluster that had another supervisor.
func (s *Supervisor) adopt(msg Adopted) {
	m, c := s.byName[msg.Node], msg.Container
	switch {
	case m == nil:
		return
	case m.state != orchestrator.Pending: // what it left on another host
		s.hosts.Leave(c.ID, m.name, c.Host)
		s.discard()
		return
	}
	m.newRun()
	m.id = c.ID
	if c.Host != "" {
		s.spec.Nodes[m.index].Host = c.Host // it may have been moved
	}
	m.place(msg.At)
	m.startedAt, m.stoppedAt, m.runSince = c.State.StartedAt, c.State.FinishedAt, c.State.StartedAt
	if c.State.Running {
		m.want, m.paused, m.pid = true, c.State.Paused, c.State.PID
		if !m.stoppedAt.IsZero() { // it ran before, and the log has lines from then
			m.inc, m.endedAt = 2, m.stoppedAt
		}
		s.setState(m, orchestrator.Starting, "adopted", nil)
		s.running(m)
		return
	}
	// It ended without a supervisor: judge it once, as if it had just happened. The
	// events that explain it are replayed; see Cluster.adoptSite.
	e := orchestrator.Exit{Code: c.State.ExitCode, At: c.State.FinishedAt}
	if c.State.OOMKilled {
		e.Class = orchestrator.ExitOOM
	}
	m.state, m.begun, m.want = orchestrator.Starting, true, true
	s.do(s.followed(m))
	s.died(m, e, false)
}

// engineGone handles the break of the event stream. An engine that is stopped stops its
// containers first, and reports that as `docker stop`. So if every running node was just
// stopped from outside, the stops were not aimed at the nodes.
func (s *Supervisor) engineGone() {
	var stopped []*member
	for _, m := range s.nodes {
		e, at := m.lastExit, m.stoppedAt
		if m.ending != nil {
			e = &m.ending.exit
		}
		switch {
		case m.state.Running() && m.ending == nil:
			return
		case e != nil && e.Class == orchestrator.ExitStoppedOutside && !m.stopAsked && s.now.Sub(at) < shutdown:
			stopped = append(stopped, m)
		}
	}
	for _, m := range stopped {
		m.withEngine = true
	}
}

// engineBack starts the nodes that the engine stopped with itself. This does not count
// against the restart budget: the nodes did not fail.
func (s *Supervisor) engineBack() {
	for _, m := range s.nodes {
		s.engineBackFor(m)
	}
}

func (s *Supervisor) engineBackFor(m *member) {
	if !m.withEngine || m.state != orchestrator.Stopped || s.closing() || s.spec.Restart.Mode == orchestrator.RestartNo {
		return
	}
	s.emit(orchestrator.EventNote, m.name, "%s was stopped with the engine: starting it again", m.name)
	m.redo = true
	s.again(m)
}
