package orchestrator

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// This file is the part of the supervisor that brings nodes up and down: what
// the engine tells of them, and what users ask for.

func (s *supervisor) launch(m *member) {
	m.newRun()
	m.want, m.busy, m.startedAt = true, launching, s.now
	s.setState(m, Creating, "", "")
	s.do(actLaunch{m.report()})
}

// startAgain starts the container that is there, or makes a new one where it
// was removed.
func (s *supervisor) startAgain(m *member) {
	if m.id == "" {
		s.launch(m)
		return
	}
	why := ""
	if m.lastExit != nil {
		why = fmt.Sprintf(" (exit %d, %s)", m.lastExit.Code, m.lastExit.Class)
	}
	m.newRun()
	m.want, m.busy, m.startedAt = true, starting, s.now
	s.setState(m, Starting, "", "")
	s.do(actMark{m.report(), fmt.Sprintf("── %s restarted%s ──", m.name, why)})
	s.do(actStart{m.report()})
}

// running notes that the container of this run runs.
func (s *supervisor) running(m *member) {
	if m.begun {
		return
	}
	m.begun = true
	if m.state == Creating {
		s.setState(m, Starting, "", "")
	}
	s.do(s.followed(m))
	if m.want {
		m.probing = true
		s.do(actProbe{m.report()})
	}
}

// followed asks for the run's output. It began after the last one ended, by the
// engine's clock; of the first run everything is wanted.
func (s *supervisor) followed(m *member) actFollow {
	a := actFollow{report: m.report()}
	if m.lastExit != nil {
		a.began = m.lastExit.At
	}
	return a
}

// launched is the engine's answer to a launch or a start.
func (s *supervisor) launched(m *member, err error) {
	m.busy = idle
	s.answer(&m.startWaiters, err)
	switch {
	case err != nil && !m.want:
		s.downNow(m, Exit{Class: ExitStopped, At: s.now})
	case err != nil:
		s.judgeAs(m, Exit{Class: ExitStartError, Reason: err.Error(), At: s.now}, hintOf(err))
	case m.ending != nil || (m.state != Creating && m.state != Starting && m.state != Stopping):
		s.again(m) // it died before the engine's answer came: the events told
	default:
		s.running(m)
		if !m.want {
			s.stopRunning(m)
		}
	}
}

// stop asks for a node's end and is idempotent.
func (s *supervisor) stop(m *member) {
	m.want, m.redo = false, false
	switch m.state {
	case Pending, BackingOff:
		m.ending = nil
		s.downNow(m, Exit{Class: ExitStopped, At: s.now})
	case Creating, Starting, Ready, Degraded:
		s.setState(m, Stopping, "", "")
		if m.busy == idle { // else its launch is not answered yet, and launched goes on
			s.stopRunning(m)
		}
	case Stopping, Stopped, Completed, Failed:
	}
}

func (s *supervisor) stopRunning(m *member) {
	m.busy = stopping
	grace := s.spec.StopGrace
	if s.force {
		grace = 0
	}
	s.do(actStop{m.report(), grace})
}

// stopped is the engine's answer to a stop: the container has exited, and if
// the event did not tell, an inspection will.
func (s *supervisor) stopped(msg msgStopped) {
	m, stale := s.stale(msg.report)
	if stale {
		return
	}
	m.busy = idle
	switch {
	case m.state != Stopping:
		s.again(m)
	case errors.Is(msg.err, ErrNotFound):
		m.id = ""
		s.downNow(m, Exit{Class: ExitRemoved, At: s.now})
	case msg.err != nil && s.down:
		s.emit(EventNote, m.name, "%s could not be stopped, and is removed as it is: %v", m.name, msg.err)
		s.downNow(m, Exit{Class: ExitStopped, At: s.now})
	case msg.err != nil:
		s.answer(&m.stopWaiters, msg.err)
		s.setState(m, Degraded, fmt.Sprintf("could not be stopped: %v", msg.err), hintOf(msg.err))
		s.do(actInspect{m.report()})
	default:
		s.do(actInspect{m.report()})
	}
}

// forceStops ends the grace of every stop, now and from now on.
func (s *supervisor) forceStops() {
	s.force = true
	for _, m := range s.nodes {
		if m.state == Stopping && m.begun {
			s.do(actKill{m.report(), "KILL", 0})
		}
	}
}

// downNow puts a node down for good: nothing of it runs.
func (s *supervisor) downNow(m *member, e Exit) {
	s.endRun(m)
	if m.state != Pending && m.inc > 0 {
		m.lastExit = &e
	}
	m.stoppedAt, m.restart = s.now, time.Time{}
	reason := ""
	if e.Class != ExitStopped {
		reason = e.String()
	}
	s.setState(m, Stopped, reason, "")
	s.answer(&m.stopWaiters, nil)
	s.again(m)
}

// again starts a node that is to run once more, after the engine has answered
// the stop: the event of the death comes first.
func (s *supervisor) again(m *member) {
	if m.redo && m.busy == idle && !m.state.Running() && !s.down {
		m.redo = false
		s.startAgain(m)
	}
}

// endRun ends what watches the run.
func (s *supervisor) endRun(m *member) {
	m.live, m.proven, m.connecting, m.paused = false, false, false, false
	m.peers, m.pid = nil, 0
	if m.probing {
		m.probing = false
		s.do(actForget{m.report()})
	}
}

// died says that the container of this run has exited.
func (s *supervisor) died(m *member, e Exit) {
	s.emitExit(m, e)
	if m.state == Stopping || !m.want { // not wanted and running: a stop that failed
		e.Class = ExitStopped
		s.downNow(m, e)
		return
	}
	s.endRun(m)
	m.stoppedAt = s.now
	m.ending = &ending{exit: e, until: s.now}
	if len(m.signals) > 0 && !m.ourKill && e.Class == "" {
		m.ending.until = s.now.Add(holdExit)
	}
	s.setState(m, BackingOff, fmt.Sprintf("exit %d", e.Code), "")
	s.do(actAutopsy{m.report()})
}

func (s *supervisor) emitExit(m *member, e Exit) {
	s.do(actEmit{Event{Node: m.name, Kind: EventExit, Exit: &e, Text: fmt.Sprintf("%s exited with %d", m.name, e.Code)}})
}

// judge decides what follows an end that is understood.
func (s *supervisor) judge(m *member) {
	e := m.ending.exit
	e.Class = m.classify(e, s.spec.Restart, !m.hist.readyAt.IsZero())
	e.Reason = m.ending.slogan
	s.judgeAs(m, e, "")
}

func (s *supervisor) judgeAs(m *member, e Exit, hint string) {
	s.endRun(m)
	m.ending = nil
	m.lastExit, m.stoppedAt = &e, s.now
	d, h := s.spec.Restart.decide(m.hist, e, s.now, s.random())
	m.hist = h
	reason := e.String()
	if e.Reason != "" && e.Class != ExitStartError {
		reason += ": " + e.Reason
	}
	switch {
	case d.restart && !s.down:
		m.restart = s.now.Add(d.delay)
		m.state = Pending // so that the change is told with its reason
		s.setState(m, BackingOff, fmt.Sprintf("%s; restart %d/%d in %s", reason, len(h.recent), s.spec.Restart.Max, d.delay.Round(100*time.Millisecond)), "")
		return
	case e.Class == ExitCompleted:
		s.setState(m, Completed, reason, hint)
	case e.Class == ExitStoppedOutside, e.Class == ExitRemoved:
		m.want = false
		s.setState(m, Stopped, reason, hint)
	default:
		if d.reason != "" {
			reason += "; not restarted: " + d.reason
		}
		if hint == "" && (e.Code == 126 || e.Code == 127) {
			hint = "the image cannot run the command: give a Mix project's folder or an image with Elixir, or set command: in beamyard.yml"
		}
		s.setState(m, Failed, reason, hint)
	}
	s.answer(&m.stopWaiters, nil)
}

// engineEvent takes an event of the engine; they come once each, in order.
func (s *supervisor) engineEvent(e ContainerEvent) {
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
			s.died(m, Exit{Code: e.ExitCode, At: e.Time})
			if m.sawStop() {
				s.stoppedOutside(m)
			}
		}
	case "kill":
		if inRun && m.state != Stopping {
			m.signals = append(m.signals, e.Signal)
		}
	case "stop":
		if m.ending != nil {
			s.stoppedOutside(m)
		} else if inRun && m.state != Stopping {
			m.signals = append(m.signals, "stop")
		}
	case "oom":
		m.oom = m.oom || inRun
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

// gone says that somebody removed the container.
func (s *supervisor) gone(m *member) {
	m.id = ""
	m.ending = nil
	e := Exit{Class: ExitRemoved, At: s.now}
	if m.state.Running() || m.state == BackingOff {
		s.downNow(m, e)
		return
	}
	if !s.down {
		m.lastExit = &e
		m.reason = e.String()
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
		s.died(m, e)
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
	m.at = placement{ip: c.IP, ports: c.Ports}
	m.startedAt, m.stoppedAt = c.State.StartedAt, c.State.FinishedAt
	if c.State.Running {
		m.want, m.runSince, m.paused, m.pid = true, c.State.StartedAt, c.State.Paused, c.State.PID
		s.setState(m, Starting, "adopted", "")
		s.running(m)
		return
	}
	if c.State.Status == "created" {
		s.startAgain(m)
		return
	}
	// It ended while nobody looked: judged once, as if it had just happened.
	e := Exit{Code: c.State.ExitCode, At: c.State.FinishedAt}
	if c.State.OOMKilled {
		e.Class = ExitOOM
	}
	m.state, m.begun, m.want = Starting, true, true
	s.do(s.followed(m))
	s.died(m, e)
}

// command takes a user's request.
func (s *supervisor) command(msg msgCommand) {
	if s.over || (s.down && msg.kind != cmdDown) {
		s.do(actReply{msg.waiter, ErrClosed})
		return
	}
	if msg.kind == cmdDown {
		s.downers = append(s.downers, msg.waiter)
		s.bringDown()
		return
	}
	m := s.byName[msg.nodes[0]]
	if m == nil {
		s.do(actReply{msg.waiter, s.noNode(msg.nodes[0])})
		return
	}
	switch msg.kind {
	case cmdStart:
		s.userStart(m, msg.waiter)
	case cmdStop:
		s.stop(m)
		m.stopWaiters = append(m.stopWaiters, msg.waiter)
		s.answerIfDown(m)
	case cmdRestart:
		if m.state.Running() || m.state == Creating {
			s.stop(m)
			m.redo = true
			m.startWaiters = append(m.startWaiters, msg.waiter)
			return
		}
		s.userStart(m, msg.waiter)
	case cmdKill:
		if !m.state.Running() || !m.begun {
			s.do(actReply{msg.waiter, fmt.Errorf("%s: %w (it is %s)", m.name, ErrNotRunning, m.state)})
			return
		}
		m.ourKill = true
		s.do(actKill{m.report(), msg.signal, msg.waiter})
	case cmdDown:
	}
}

// userStart starts a node that is down. It forgives what the node did before:
// an intended start costs no budget.
func (s *supervisor) userStart(m *member, w waiter) {
	switch m.state {
	case Creating, Starting, Ready, Degraded:
		m.want = true
		s.do(actReply{w, nil})
		return
	case Stopping:
		m.redo = true
	case Pending, BackingOff, Stopped, Completed, Failed:
		m.hist.recent, m.hist.step, m.hist.slogan = nil, 0, ""
		m.redo, m.ending, m.restart = true, nil, time.Time{}
		s.again(m)
	}
	m.startWaiters = append(m.startWaiters, w)
}

func (s *supervisor) answerIfDown(m *member) {
	if m.state.Final() && m.ending == nil {
		s.answer(&m.stopWaiters, nil)
	}
}

func (s *supervisor) answer(waiters *[]waiter, err error) {
	for _, w := range *waiters {
		s.do(actReply{w, err})
	}
	*waiters = nil
}

func (s *supervisor) noNode(name string) error {
	var names []string
	for _, n := range s.spec.Nodes {
		names = append(names, n.Name)
	}
	return WithHint(fmt.Errorf("%w: %s", ErrNoNode, name), "cluster %s has %s", s.spec.Name, strings.Join(names, ", "))
}

// hintOf is the advice that an error carries, or "".
func hintOf(err error) string {
	var h Hinter
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
