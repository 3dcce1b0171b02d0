package erldist

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// This test feeds a watcher directly. On real nodes, Disconnect of package orchestrator
// and the faults of package testsupport use watchers.
func TestNodeWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSight(func() {})
		s.saw(NodeEvent{Node: "b", Up: true, Initial: true})
		if now := s.Now(); !now.Up["b"] || now.Ups["b"] != 0 {
			t.Errorf("%+v: a node that was there before counts as a nodeup", now)
		}
		result := make(chan error, 1)
		go func() {
			result <- s.Until(t.Context(), func(now Seen) bool { return now.Downs["b"] == 1 && now.Ups["b"] == 1 && now.Up["b"] })
		}()
		synctest.Wait()
		s.saw(NodeEvent{Node: "b"})
		synctest.Wait()
		select {
		case err := <-result:
			t.Fatalf("a nodedown alone was enough: %v", err)
		default:
		}
		s.saw(NodeEvent{Node: "b", Up: true})
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func TestANodeWatcherThatEndsSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSight(func() {})
		never := func(Seen) bool { return false }
		late, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("too late"))
		defer cancel()
		if err := s.Until(late, never); err == nil || err.Error() != "too late" {
			t.Error(err)
		}
		time.AfterFunc(time.Second, func() { s.ended(ErrClosed) })
		if err := s.Until(t.Context(), never); !errors.Is(err, ErrClosed) || !errors.Is(s.Err(), ErrClosed) {
			t.Error(err)
		}
		if err := s.Until(t.Context(), func(Seen) bool { return true }); err != nil { // what it has seen, it still reports
			t.Error(err)
		}
	})
}
