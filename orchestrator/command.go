package orchestrator

import (
	"fmt"
	"time"
)

// This file is the part of the supervisor that handles users' requests.

// command handles a user's request.
func (s *supervisor) command(msg msgCommand) {
	if s.over || (s.closing() && msg.kind != cmdDown) {
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
		s.do(actReply{msg.waiter, s.spec.noNode(msg.nodes[0])})
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
	case cmdPause, cmdUnpause:
		if !m.state.Running() || !m.begun {
			s.do(actReply{msg.waiter, fmt.Errorf("%s: %w (it is %s)", m.name, ErrNotRunning, m.state)})
			return
		}
		s.do(actPause{m.report(), msg.kind == cmdPause, msg.waiter})
	case cmdDown:
	}
}

// paused handles the engine's answer to a pause or unpause. An event reports it as well,
// but this way the caller sees it in the status at once.
func (s *supervisor) paused(msg msgPaused) {
	if m, stale := s.stale(msg.report); !stale && msg.err == nil && m.state.Running() && m.ending == nil {
		m.paused = msg.paused
	}
	s.evaluate()
	s.do(actReply{msg.waiter, msg.err})
}

// userStart starts a node that is down. It resets the node's history: a requested start
// does not count against the budget.
func (s *supervisor) userStart(m *member, w waiter) {
	switch m.state {
	case Creating, Starting, Ready, Degraded:
		m.want = true
		s.do(actReply{w, nil})
		return
	case Stopping:
		m.redo = true
	case Pending, BackingOff, Stopped, Completed, Failed:
		m.hist.recent, m.hist.step, m.hist.slogan, m.hist.waits = nil, 0, "", 0
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
