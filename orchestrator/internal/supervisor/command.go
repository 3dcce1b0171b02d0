package supervisor

import (
	"fmt"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file is the part of the supervisor that handles users' requests.

// command handles a user's request.
func (s *Supervisor) command(msg Command) {
	if s.phase == phaseOver || (s.closing() && msg.Kind != CmdDown) {
		s.do(Reply{msg.Waiter, orchestrator.ErrClosed})
		return
	}
	if msg.Kind == CmdDown {
		s.downers = append(s.downers, msg.Waiter)
		s.bringDown()
		return
	}
	m := s.byName[msg.Nodes[0]]
	if m == nil {
		s.do(Reply{msg.Waiter, s.spec.NoNode(msg.Nodes[0])})
		return
	}
	switch msg.Kind {
	case CmdStart:
		s.userStart(m, msg.Waiter)
	case CmdStop:
		s.stop(m)
		m.stopWaiters = append(m.stopWaiters, msg.Waiter)
		if m.state.Final() && m.ending == nil {
			s.answer(&m.stopWaiters, nil)
		}
	case CmdRestart, CmdReplace:
		if msg.Kind == CmdReplace {
			s.setSpec(*msg.Spec)
			m.replace, m.trial = true, true
		}
		if m.state.Running() || m.state == orchestrator.Creating {
			s.stop(m)
			m.redo = true
			m.startWaiters = append(m.startWaiters, msg.Waiter)
			return
		}
		s.userStart(m, msg.Waiter)
	case CmdKill:
		if !m.state.Running() || !m.begun {
			s.do(Reply{msg.Waiter, fmt.Errorf("%s: %w (it is %s)", m.name, orchestrator.ErrNotRunning, m.state)})
			return
		}
		m.ourKill = true
		s.do(Kill{m.onContainer(), msg.Signal, msg.Waiter})
	case CmdPause, CmdUnpause:
		if !m.state.Running() || !m.begun {
			s.do(Reply{msg.Waiter, fmt.Errorf("%s: %w (it is %s)", m.name, orchestrator.ErrNotRunning, m.state)})
			return
		}
		s.do(Pause{m.onContainer(), msg.Kind == CmdPause, msg.Waiter})
	case CmdDown:
	}
}

// paused handles the engine's answer to a pause or unpause. An event reports it as well,
// but this way the caller sees it in the status at once.
func (s *Supervisor) paused(msg Paused) {
	if m, stale := s.stale(msg.RunID); !stale && msg.Err == nil && m.state.Running() && m.ending == nil {
		m.paused = msg.Paused
	}
	s.evaluate()
	s.do(Reply{msg.Waiter, msg.Err})
}

// userStart starts a node that is down. It resets the node's history: a requested start
// does not count against the budget.
func (s *Supervisor) userStart(m *member, w Waiter) {
	switch m.state {
	case orchestrator.Creating, orchestrator.Starting, orchestrator.Running, orchestrator.Ready, orchestrator.Degraded, orchestrator.Unreachable:
		m.want = true
		s.do(Reply{w, nil})
		return
	case orchestrator.Stopping:
		m.redo = true
	case orchestrator.Pending, orchestrator.BackingOff, orchestrator.Stopped, orchestrator.Completed, orchestrator.Failed:
		m.hist.Recent, m.hist.Step, m.hist.Slogan, m.hist.Waits = nil, 0, "", 0
		m.redo, m.ending, m.restart = true, nil, time.Time{}
		s.again(m)
	}
	m.startWaiters = append(m.startWaiters, w)
}

func (s *Supervisor) answer(waiters *[]Waiter, err error) {
	for _, w := range *waiters {
		s.do(Reply{w, err})
	}
	*waiters = nil
}
