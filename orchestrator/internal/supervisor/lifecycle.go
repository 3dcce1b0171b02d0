package supervisor

import (
	"errors"
	"fmt"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/restart"
)

// This file is the part of the supervisor that starts and stops nodes, and judges their
// ends.

func (s *Supervisor) launch(m *member) {
	replace := m.replace
	m.newRun()
	m.want, m.busy, m.startedAt, m.replace = true, launching, s.now, false
	s.setState(m, orchestrator.Creating, "", nil)
	if replace {
		m.id, m.hist = "", restart.History{Total: m.hist.Total}
		s.do(Mark{m.report(), fmt.Sprintf("── %s replaced: %s ──", m.name, s.spec.NodeAt(m.index).Image)})
	}
	s.do(Launch{m.report(), replace})
}

// startAgain starts the existing container, or creates a new one if it was removed.
func (s *Supervisor) startAgain(m *member) {
	if m.id == "" || m.replace {
		s.launch(m)
		return
	}
	why := ""
	if m.lastExit != nil {
		why = fmt.Sprintf(" (exit %d, %s)", m.lastExit.Code, m.lastExit.Class)
	}
	var undiagnosed *NodeSnapshot
	if m.state == orchestrator.BackingOff && !m.diagnosed {
		last := s.snapshot(m)
		undiagnosed = &last
	}
	m.newRun()
	m.want, m.busy, m.startedAt, m.undiagnosed = true, starting, s.now, undiagnosed
	s.setState(m, orchestrator.Starting, "", nil)
	s.do(Mark{m.report(), fmt.Sprintf("── %s restarted%s ──", m.name, why)})
	s.do(Start{m.onContainer()})
}

// running notes that the container of this run is running.
func (s *Supervisor) running(m *member) {
	if m.begun {
		return
	}
	m.begun, m.beganAt = true, s.now
	if m.state == orchestrator.Creating {
		s.setState(m, orchestrator.Starting, "", nil)
	}
	s.do(s.followed(m))
	if m.want {
		m.probing = true
		s.do(Probe{m.report()})
	}
}

// followed requests the run's output. By the engine's clock, the run began shortly before
// the engine reported its start, and after the last run ended; for the first run, all
// output is requested.
func (s *Supervisor) followed(m *member) Follow {
	a := Follow{OnContainer: m.onContainer(), Began: m.endedAt}
	if since := m.runSince.Add(-orchestrator.StartSlack); !m.endedAt.IsZero() && since.After(m.endedAt) {
		a.Began = since // the engine may write a run's last lines for a moment after its end
	}
	return a
}

// launched handles the engine's answer to a launch or a start.
func (s *Supervisor) launched(m *member, err error) {
	m.busy = idle
	if !m.redo { // who asked for the next start waits for that one
		s.answer(&m.startWaiters, err)
	}
	switch {
	case err != nil && !m.want:
		s.downNow(m, orchestrator.Exit{Class: orchestrator.ExitStopped, At: s.now})
	case err != nil:
		m.startErr = err
		s.judgeAs(m, orchestrator.Exit{Class: orchestrator.ExitStartError, Reason: err.Error(), At: s.now}, orchestrator.HintOf(err))
	case m.ending != nil || (m.state != orchestrator.Creating && m.state != orchestrator.Starting && m.state != orchestrator.Stopping):
		s.again(m) // it died before the engine answered, as the events show
	default:
		s.running(m)
		if !m.want {
			s.stopRunning(m)
		}
	}
}

// stop requests a node's end and is idempotent.
func (s *Supervisor) stop(m *member) {
	m.want, m.redo, m.withEngine, m.stopAsked = false, false, false, true
	switch m.state {
	case orchestrator.Pending, orchestrator.BackingOff:
		if end := m.ending; end != nil { // not judged yet, and not followed by a restart any more
			end.exit.Class = s.classify(m, end.exit)
			s.emitExit(m, end.exit)
			m.ending = nil
		}
		s.rest(m, "")
	case orchestrator.Creating, orchestrator.Starting, orchestrator.Running, orchestrator.Ready, orchestrator.Degraded, orchestrator.Unreachable:
		s.setState(m, orchestrator.Stopping, "", nil)
		if m.busy == idle { // otherwise its launch is not answered yet, and launched continues
			s.stopRunning(m)
		}
	case orchestrator.Stopping, orchestrator.Stopped, orchestrator.Completed, orchestrator.Failed:
	}
}

func (s *Supervisor) stopRunning(m *member) {
	m.busy = stopping
	grace := s.spec.StopTimeout
	if s.force {
		grace = 0
	}
	s.do(Stop{m.onContainer(), grace})
}

// stopped handles the engine's answer to a stop: the container has exited. If the event
// was lost, an inspection will show the exit.
func (s *Supervisor) stopped(msg Stopped) {
	m, stale := s.stale(msg.RunID)
	if stale {
		return
	}
	m.busy = idle
	switch {
	case m.state != orchestrator.Stopping:
		s.again(m)
	case errors.Is(msg.Err, orchestrator.ErrNotFound):
		m.id = ""
		s.downNow(m, orchestrator.Exit{Class: orchestrator.ExitRemoved, At: s.now})
	case msg.Err != nil && s.goingDown():
		s.emit(orchestrator.EventNote, m.name, "%s could not be stopped, and is removed as it is: %v", m.name, msg.Err)
		s.downNow(m, orchestrator.Exit{Class: orchestrator.ExitStopped, At: s.now})
	case msg.Err != nil:
		s.answer(&m.stopWaiters, msg.Err)
		s.answer(&m.startWaiters, msg.Err) // from a restart
		m.redo, m.replace = false, false
		s.setState(m, orchestrator.Degraded, fmt.Sprintf("could not be stopped: %v", msg.Err), orchestrator.HintOf(msg.Err))
		s.do(Inspect{m.onContainer()})
	default:
		s.do(Inspect{m.onContainer()})
	}
}

// forceStops skips the timeout of every stop, from now on.
func (s *Supervisor) forceStops() {
	s.force = true
	for _, m := range s.nodes {
		if m.state == orchestrator.Stopping && m.begun {
			s.do(Kill{m.onContainer(), "KILL", 0})
		}
	}
}

// downNow puts a node down for good after its run ended this way.
func (s *Supervisor) downNow(m *member, e orchestrator.Exit) {
	s.endRun(m)
	if m.state != orchestrator.Pending && m.inc > 0 {
		s.emitExit(m, e)
	}
	m.stoppedAt = s.now
	reason := ""
	if e.Class != orchestrator.ExitStopped {
		reason = e.String()
	}
	s.rest(m, reason)
}

// rest leaves a node down that has no running container.
func (s *Supervisor) rest(m *member, reason string) {
	m.restart = time.Time{}
	s.setState(m, orchestrator.Stopped, reason, nil)
	s.answer(&m.stopWaiters, nil)
	s.again(m)
}

// again starts a node that should run once more, after the engine has answered the stop: the
// event of the death comes first.
func (s *Supervisor) again(m *member) {
	switch {
	case m.busy != idle, m.state.Running(), s.closing():
	case m.redo:
		m.redo = false
		s.startAgain(m)
	case m.state == orchestrator.Stopped:
		s.answer(&m.startWaiters, fmt.Errorf("%s: %w: it was stopped before it was started again", m.name, orchestrator.ErrNotRunning))
	}
}

// endRun ends the goroutines that watch the run.
func (s *Supervisor) endRun(m *member) {
	m.live, m.proven, m.connecting, m.paused = false, false, false, false
	m.peers, m.pid = sight{}, 0
	if m.probing {
		m.probing = false
		s.do(Forget{m.report()})
	}
}

// died handles the exit of this run's container. explained is false if an inspection
// found it: the events before the death, which show who sent a signal, may then still
// arrive.
func (s *Supervisor) died(m *member, e orchestrator.Exit, explained bool) {
	if m.state == orchestrator.Stopping || !m.want { // not wanted and running: a stop that failed
		e.Class, m.endedAt = orchestrator.ExitStopped, e.At
		s.downNow(m, e)
		return
	}
	s.endRun(m)
	m.stoppedAt, m.endedAt = s.now, e.At
	m.ending = &ending{exit: e, until: s.now}
	killed := e.Code == orchestrator.CodeKilled // a later `oom` or `stop` event shows the sender
	if (killed || len(m.signals) > 0 || !explained) && !m.ourKill && e.Class == "" {
		m.ending.until = s.now.Add(holdExit)
	}
	s.setState(m, orchestrator.BackingOff, fmt.Sprintf("exit %d", e.Code), nil)
	s.do(Postmortem{m.onContainer(), e.Code})
}

// emitExit records a classified end and reports it.
func (s *Supervisor) emitExit(m *member, e orchestrator.Exit) {
	m.lastExit = &e
	text := fmt.Sprintf("%s ended: %s", m.name, e)
	if e.Reason != "" && e.Class != orchestrator.ExitStartError {
		text += ": " + e.Reason
	}
	s.do(Emit{orchestrator.Event{Node: m.name, Kind: orchestrator.EventExit, Exit: &e, Text: text}})
}

// classify returns the class of an end that we did not request.
func (s *Supervisor) classify(m *member, e orchestrator.Exit) orchestrator.ExitClass {
	return restart.Classify(s.spec.Restart, e, !m.hist.ReadyAt.IsZero(), m.oom, len(m.signals) > 0)
}

// judge decides what follows a classified end.
func (s *Supervisor) judge(m *member) {
	e := m.ending.exit
	e.Class = s.classify(m, e)
	e.Reason, e.Slogan, e.Dump, e.WaitsFor = m.ending.Reason, m.ending.Slogan, m.ending.Dump, m.ending.Waits
	m.dump = m.ending.Crash
	s.judgeAs(m, e, nil)
}

func (s *Supervisor) judgeAs(m *member, e orchestrator.Exit, next hint.Hint) {
	s.endRun(m)
	if m.ending == nil { // it never ran
		m.stoppedAt = s.now
	}
	m.ending = nil
	s.emitExit(m, e)
	d, h := restart.Decide(s.spec.Restart, m.hist, e, s.now, s.random())
	m.hist = h
	reason := e.String()
	if e.Reason != "" && e.Class != orchestrator.ExitStartError {
		reason += ": " + e.Reason
	}
	if h.Waits > 0 {
		reason = e.String() + ": " + h.Waiting()
	}
	switch {
	case d.Restart && !s.goingDown():
		m.restart = m.stoppedAt.Add(d.Delay) // counted from the end, even while it was examined
		left := max(0, m.restart.Sub(s.now)).Round(100 * time.Millisecond)
		s.newState(m, orchestrator.BackingOff, fmt.Sprintf("%s; restart %d/%d in %s", reason, len(h.Recent), s.spec.Restart.Max, left), nil)
		return
	case e.Class == orchestrator.ExitCompleted:
		s.setState(m, orchestrator.Completed, reason, next)
	case e.Class == orchestrator.ExitStoppedOutside, e.Class == orchestrator.ExitRemoved:
		m.want = false
		s.setState(m, orchestrator.Stopped, reason, next)
		s.answer(&m.stopWaiters, nil)
		if m.withEngine && s.subscribed {
			s.engineBackFor(m)
		}
		return
	default:
		if d.Reason != "" {
			reason += "; not restarted: " + d.Reason
		}
		if len(next) == 0 && (e.Code == 126 || e.Code == 127) {
			next = hint.Newf("the image cannot run the command: give a Mix project's folder or an image with Elixir, or where it holds a mix release %s, or %s", hint.Setting("release: true"), hint.Setting("command"))
		}
		s.setState(m, orchestrator.Failed, reason, next)
	}
	s.answer(&m.stopWaiters, nil)
}
