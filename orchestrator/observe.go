package orchestrator

import (
	"slices"
	"time"
)

// This file is the part of the supervisor that takes what the engine tells of
// containers: its events, its answers when asked, and what was there before.

// engineEvent takes an event of the engine; they come once each, in order.
func (s *supervisor) engineEvent(e ContainerEvent, restarted bool) {
	m := s.byName[e.Labels[LabelNode]]
	if m == nil || (m.id != "" && m.id != e.ID) || (!m.runSince.IsZero() && e.Time.Before(m.runSince)) {
		return
	}
	inRun := m.ending == nil && m.state.Running() && !m.runSince.IsZero()
	switch e.Action {
	case "start":
		s.startEvent(m, e)
	case "die":
		if inRun {
			s.died(m, Exit{Code: e.ExitCode, At: e.Time}, true)
			if m.sawStop() && (!restarted || !m.diedUnseen(e.ExitCode)) {
				s.stoppedOutside(m)
			}
		}
	case "kill":
		if (inRun && m.state != Stopping) || m.ending != nil {
			m.signals = append(m.signals, e.Signal)
		}
	case "stop":
		if restarted && m.ending != nil && m.diedUnseen(m.ending.exit.Code) {
			return
		}
		m.withEngine = m.withEngine || restarted && m.want && (inRun || m.ending != nil)
		if m.ending != nil {
			s.stoppedOutside(m)
		} else if inRun && m.state != Stopping {
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
func (m *member) sawStop() bool {
	for _, signal := range m.signals {
		if signal == "stop" {
			return true
		}
	}
	return false
}

func (s *supervisor) stoppedOutside(m *member) {
	if m.ending != nil {
		m.ending.exit.Class = ExitStoppedOutside
		m.ending.until = s.now
	}
}

func (s *supervisor) startEvent(m *member, e ContainerEvent) {
	switch {
	case e.Time.Before(m.endedAt): // replayed: of a run that is over
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

func (s *supervisor) startedOutside(m *member, id string, at time.Time) {
	if s.down {
		return
	}
	m.newRun()
	m.id, m.runSince, m.want, m.startedAt = id, at, true, s.now
	s.emit(EventNote, m.name, "%s was started from outside", m.name)
	s.setState(m, Starting, "", "")
	s.running(m)
}

// exitUnseen is what an engine tells of an end that it did not see.
const exitUnseen = 255

// diedUnseen reports whether an engine that was restarted stopped what was dead by
// then. At its start it stops what it believes to run. What had ended it calls 255, or
// where the shim had not told yet by its own code: 137 without a SIGKILL of the
// engine's, which comes after the grace, is somebody else's (20.10, both seen).
func (m *member) diedUnseen(code int) bool {
	return code == exitUnseen || code == exitKilled && !slices.Contains(m.signals, "9")
}

// exitKilled is the code of a process that SIGKILL ended.
const exitKilled = 128 + 9

// lateRemoval is how long after a death its container's removal is still its cause.
const lateRemoval = 5 * time.Second

// gone says that somebody removed the container.
func (s *supervisor) gone(m *member) {
	m.id = ""
	m.ending = nil
	e := Exit{Class: ExitRemoved, At: s.now}
	// `docker rm -f` kills first, and a busy engine may tell the removal late.
	late := m.state == Failed && m.lastExit != nil && m.lastExit.Class == ExitKilled && s.now.Sub(m.stoppedAt) < lateRemoval
	if m.state.Running() || m.state == BackingOff || late {
		s.downNow(m, e)
		return
	}
	if !s.down {
		s.emitExit(m, e)
		m.reason = e.String()
	}
}

// compare asks for the engine's list. A node with an operation under way is left
// out: a list from before its container was made, told after, would say that
// somebody had removed it.
func (s *supervisor) compare() {
	runs := map[string]report{}
	for _, m := range s.nodes {
		if m.busy == idle && m.id != "" {
			runs[m.name] = m.report()
		}
	}
	if len(runs) > 0 {
		s.do(actList{runs})
	}
}

// seen compares what the engine shows with what we believe.
func (s *supervisor) seen(msg msgSeen) {
	m, stale := s.stale(msg.report)
	if stale || m.busy == launching || m.busy == starting || s.removing {
		return
	}
	c := msg.container
	switch {
	case c == nil:
		if m.id != "" {
			s.gone(m)
		}
	case c.State.Running:
		if !m.state.Running() && m.ending == nil && c.State.StartedAt.After(m.stoppedAt) && m.state != Pending {
			s.startedOutside(m, c.ID, c.State.StartedAt)
			return
		}
		m.paused, m.pid = c.State.Paused, c.State.PID
	case m.state.Running() && m.ending == nil && (m.runSince.IsZero() || !c.State.FinishedAt.Before(m.runSince)):
		e := Exit{Code: c.State.ExitCode, At: c.State.FinishedAt}
		if c.State.OOMKilled {
			e.Class = ExitOOM
		}
		s.died(m, e, false)
	}
}

// adopt takes over a container of a cluster that had another supervisor.
func (s *supervisor) adopt(msg msgAdopted) {
	m, c := s.byName[msg.node], msg.container
	if m == nil || m.state != Pending {
		return
	}
	m.newRun()
	m.id = c.ID
	m.at = msg.at
	m.startedAt, m.stoppedAt, m.runSince = c.State.StartedAt, c.State.FinishedAt, c.State.StartedAt
	if c.State.Running {
		m.want, m.paused, m.pid = true, c.State.Paused, c.State.PID
		if !m.stoppedAt.IsZero() { // it ran before, and the log has lines of then
			m.inc, m.endedAt = 2, m.stoppedAt
		}
		s.setState(m, Starting, "adopted", "")
		s.running(m)
		return
	}
	// It ended while nobody looked: judged once, as if it had just happened. The
	// events that explain it are replayed; see Cluster.adoptSite.
	e := Exit{Code: c.State.ExitCode, At: c.State.FinishedAt}
	if c.State.OOMKilled {
		e.Class = ExitOOM
	}
	m.state, m.begun, m.want = Starting, true, true
	s.do(s.followed(m))
	s.died(m, e, false)
}

// engineGone takes the break of the event stream. An engine that is stopped
// stops its containers first, and tells that as `docker stop`: so where every
// node that ran was stopped from outside just now, nobody meant the nodes.
func (s *supervisor) engineGone() {
	var stopped []*member
	for _, m := range s.nodes {
		e, at := m.lastExit, m.stoppedAt
		if m.ending != nil {
			e = &m.ending.exit
		}
		switch {
		case m.state.Running() && m.ending == nil:
			return
		case e != nil && e.Class == ExitStoppedOutside && !m.stopAsked && s.now.Sub(at) < shutdown:
			stopped = append(stopped, m)
		}
	}
	for _, m := range stopped {
		m.withEngine = true
	}
}

// engineBack starts what the engine stopped with itself. It costs no restart
// budget: the node did nothing.
func (s *supervisor) engineBack() {
	for _, m := range s.nodes {
		s.engineBackFor(m)
	}
}

func (s *supervisor) engineBackFor(m *member) {
	if !m.withEngine || m.state != Stopped || s.closing() || s.spec.Restart.Mode == RestartNo {
		return
	}
	s.emit(EventNote, m.name, "%s was stopped with the engine: starting it again", m.name)
	m.redo = true
	s.again(m)
}
