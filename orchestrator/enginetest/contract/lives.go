package contract

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// listener collects events.
type listener struct {
	mu     sync.Mutex
	events []orchestrator.ContainerEvent
}

func (l *listener) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var words []string
	for _, e := range l.events {
		word := e.Action
		switch e.Action {
		case "die":
			word += fmt.Sprintf("(%d)", e.ExitCode)
		case "kill":
			word += "(" + e.Signal + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// listen subscribes, and returns once the engine has accepted.
func (s *suite) listen(since time.Time) *listener {
	s.t.Helper()
	l := &listener{}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.eng.Events(ctx, since, s.labels, func() { close(ready) }, func(e orchestrator.ContainerEvent) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.events = append(l.events, e)
		})
	}()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			s.t.Errorf("events ended with %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-done:
		done <- err
		s.t.Fatalf("events: %v", err)
	case <-time.After(patience):
		s.t.Fatal("never ready for events")
	}
	return l
}

// hears waits for a history, which is one of the allowed sequences.
func (s *suite) hears(l *listener, allowed ...string) {
	s.t.Helper()
	for i, words := range allowed {
		allowed[i] = regexp.QuoteMeta(words)
	}
	s.hearsLike(l, "^("+strings.Join(allowed, "|")+")$")
}

// hearsLike waits for a history that matches a regular expression.
func (s *suite) hearsLike(l *listener, pattern string) {
	s.t.Helper()
	var got string
	want, deadline := regexp.MustCompile(pattern), time.After(patience)
	for {
		if got = l.text(); want.MatchString(got) {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			s.t.Fatalf("events %q, want %s", got, pattern)
		}
	}
}

func (s *suite) testLife() {
	l := s.listen(time.Time{})
	id := s.run("exit", "7")
	c := s.exited(id)
	// Which of the two times is later is not promised: 20.10 takes StartedAt when the
	// start is complete, 13 ms after the end of a process that was faster.
	if c.State.ExitCode != 7 || c.State.OOMKilled || c.State.StartedAt.IsZero() || c.State.FinishedAt.IsZero() {
		s.t.Errorf("state %+v", c.State)
	}
	s.hears(l, "create start die(7)")
	for _, e := range l.events {
		if e.ID != id || e.Name != s.name() || e.Labels["beamyard.contract"] != s.labels["beamyard.contract"] || e.Time.IsZero() {
			s.t.Errorf("event %+v", e)
		}
	}
	s.must(s.eng.StopContainer(s.ctx(), id, time.Second)) // it has exited: not an error
}

func (s *suite) testStop() {
	l := s.listen(time.Time{})
	id := s.run("wait")
	s.must(s.eng.StartContainer(s.ctx(), id)) // it runs: not an error
	s.waiting(id)
	s.must(s.eng.StopContainer(s.ctx(), id, 10*time.Second))
	if c := s.exited(id); c.State.ExitCode != 0 {
		s.t.Errorf("exit code %d", c.State.ExitCode)
	}
	s.hears(l, "create start kill(15) die(0) stop", "create start kill(15) stop die(0)")
}

func (s *suite) testStubborn() {
	l := s.listen(time.Time{})
	id := s.run("stubborn")
	s.waiting(id)
	s.must(s.eng.StopContainer(s.ctx(), id, time.Second))
	if c := s.exited(id); c.State.ExitCode != 137 || c.State.OOMKilled {
		s.t.Errorf("state %+v", c.State)
	}
	s.hears(l, "create start kill(15) kill(9) die(137) stop", "create start kill(15) kill(9) stop die(137)")
}

func (s *suite) testKill() {
	l := s.listen(time.Time{})
	id := s.run("wait")
	s.must(s.eng.KillContainer(s.ctx(), id, "KILL"))
	if c := s.exited(id); c.State.ExitCode != 137 {
		s.t.Errorf("exit code %d", c.State.ExitCode)
	}
	s.hears(l, "create start kill(9) die(137)")
	s.is("kill a dead one", s.eng.KillContainer(s.ctx(), id, "KILL"), orchestrator.ErrNotRunning)
}

// An engine may report a pause, or its end, twice: 20.10 changes the state when the call
// is complete, and again when containerd's own event of it arrives, which may be after
// the next call on a busy machine. So only the order and the last state are promised.
func (s *suite) testPause() {
	l := s.listen(time.Time{})
	id := s.run("wait")
	s.waiting(id)
	becomes := func(paused bool) {
		s.t.Helper()
		var c orchestrator.Container
		s.eventually("paused "+strconv.FormatBool(paused), func() bool {
			var err error
			c, err = s.eng.InspectContainer(s.ctx(), id)
			s.must(err)
			return c.State.Paused == paused
		})
		if !c.State.Running {
			s.t.Errorf("paused %t: %+v", paused, c.State)
		}
	}
	s.must(s.eng.PauseContainer(s.ctx(), id))
	becomes(true)
	s.must(s.eng.PauseContainer(s.ctx(), id)) // it is paused: not an error
	s.must(s.eng.UnpauseContainer(s.ctx(), id))
	becomes(false)
	s.must(s.eng.UnpauseContainer(s.ctx(), id)) // it is not paused: not an error
	s.must(s.eng.StopContainer(s.ctx(), id, 10*time.Second))
	s.exited(id)
	s.hearsLike(l, `^create start( pause unpause)+ kill\(15\) (die\(0\) stop|stop die\(0\))$`)
	s.is("pause one that does not run", s.eng.PauseContainer(s.ctx(), id), orchestrator.ErrNotRunning)
	s.is("unpause one that does not run", s.eng.UnpauseContainer(s.ctx(), id), orchestrator.ErrNotRunning)
	s.is("pause one that is gone", s.eng.PauseContainer(s.ctx(), "gone"), orchestrator.ErrNotFound)
	s.is("unpause one that is gone", s.eng.UnpauseContainer(s.ctx(), "gone"), orchestrator.ErrNotFound)
}

func (s *suite) testStopPaused() {
	l := s.listen(time.Time{})
	id := s.run("wait")
	s.waiting(id)
	s.must(s.eng.PauseContainer(s.ctx(), id))
	s.must(s.eng.StopContainer(s.ctx(), id, 10*time.Second))
	if c := s.exited(id); c.State.ExitCode != 0 {
		s.t.Errorf("exit code %d", c.State.ExitCode)
	}
	s.hearsLike(l, `^create start pause kill\(15\) unpause( pause unpause)* (die\(0\) stop|stop die\(0\))$`)
}

func (s *suite) testRemove() {
	l := s.listen(time.Time{})
	id := s.run("wait")
	s.must(s.eng.RemoveContainer(s.ctx(), id))
	s.hears(l, "create start kill(9) die(137) destroy")
	s.must(s.eng.RemoveContainer(s.ctx(), id)) // it is gone: not an error
	_, err := s.eng.InspectContainer(s.ctx(), id)
	s.is("inspect", err, orchestrator.ErrNotFound)
}

// The subscription must be active when ready is called, not a moment later.
func (s *suite) testReady() {
	id := s.run("wait")
	s.waiting(id)
	for range 10 {
		l := s.listen(time.Time{})
		s.must(s.eng.KillContainer(s.ctx(), id, "USR1"))
		s.hears(l, "kill(10)")
	}
}

// A replay has no event that is older than requested, and all that are newer by a second
// or more. In between it may leave out events with times out of order, such as those of
// the other tests' containers.
func (s *suite) testReplay() {
	l := s.listen(time.Time{})
	id := s.run("exit", "3")
	s.exited(id)
	s.hears(l, "create start die(3)")
	s.hears(s.listen(l.events[0].Time.Add(-time.Second)), "create start die(3)")
	from, after := s.listen(l.events[1].Time), s.listen(l.events[2].Time.Add(1))
	s.must(s.eng.RemoveContainer(s.ctx(), id))
	s.hears(from, "start die(3) destroy", "die(3) destroy", "destroy")
	s.hears(after, "destroy")
}

func (s *suite) testCannotStart() {
	l := s.listen(time.Time{})
	id := s.create(func(c *orchestrator.ContainerSpec) { c.User = "no-such-user-here" }, "wait")
	s.is("start", s.eng.StartContainer(s.ctx(), id), orchestrator.ErrCannotStart)
	s.must(s.eng.RemoveContainer(s.ctx(), id))
	s.hears(l, "create destroy")
}

// With an init, the engine has started something: a missing command is the init's exit
// code. Without one it is [orchestrator.ErrCannotStart].
func (s *suite) testNoCommand() {
	l := s.listen(time.Time{})
	id := s.create(func(c *orchestrator.ContainerSpec) { c.Entrypoint = []string{"/no-such-command"} })
	if err := s.eng.StartContainer(s.ctx(), id); err != nil {
		s.is("start", err, orchestrator.ErrCannotStart)
		return
	}
	s.exited(id)
	s.hears(l, "create start die(127)")
}
