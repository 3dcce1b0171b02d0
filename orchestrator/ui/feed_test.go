package ui

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// fed runs a feed of a fake in a bubble, and returns how to count what it has told so far.
func fed(t *testing.T, f *fake) (told func(kind string) []string) {
	t.Helper()
	feed := newFeed(f, "demo")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		feed.run(ctx)
	}()
	<-feed.opened
	r := &reader{b: feed.board, after: 0, greeted: feed.board.greeted}
	t.Cleanup(func() {
		cancel()
		<-done
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.open != 0 {
			t.Errorf("%d clusters are still open", f.open)
		}
	})
	seen := map[string][]string{}
	return func(kind string) []string {
		synctest.Wait()
		r.greeted = feed.board.greeted
		messages, _, over := r.next()
		if over {
			t.Fatal("the reader fell behind")
		}
		for _, m := range messages {
			seen[m.kind] = append(seen[m.kind], string(m.data))
		}
		return seen[kind]
	}
}

func TestTheStatusIsToldAtMostFourTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		told := fed(t, f)
		if n := len(told(kindStatus)); n != 1 {
			t.Fatalf("told %d times at first", n)
		}
		time.Sleep(10 * time.Second)
		if n := len(told(kindStatus)); n != 1 {
			t.Errorf("told %d times without a change", n)
		}
		for i := range 1000 {
			f.change(func(f *fake) { f.status.Nodes[0].RestartCount = i })
			time.Sleep(time.Millisecond)
		}
		if n := len(told(kindStatus)); n < 4 || n > 6 {
			t.Errorf("told %d times in a second of changes", n)
		}
	})
}

func TestHealthIsToldEveryFiveSecondsAndAfterChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		told := fed(t, f)
		time.Sleep(time.Minute + time.Millisecond)
		if n := len(told(kindSample)); n != 13*3 {
			t.Errorf("%d samples of three nodes in a minute", n)
		}
		f.change(func(f *fake) { f.status.Ready = false })
		time.Sleep(statusPause + healthSoon + time.Millisecond)
		if n := len(told(kindSample)); n != 14*3 {
			t.Errorf("%d samples after a change", n)
		}
		f.change(func(f *fake) { f.report.Code = nil; f.report.Summary.Total = 7 })
		time.Sleep(healthPause)
		reports := told(kindHealth)
		if len(reports) != 2 || !strings.Contains(reports[1], `"total":7`) {
			t.Errorf("%d reports are told, and two differ", len(reports))
		}
	})
}

func TestLinesComeInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		for i := range 3 * keptLines {
			f.lines = append(f.lines, orchestrator.Line{Node: "n1", Time: time.Now(), Seq: uint64(i + 1), Text: fmt.Sprint(i)})
		}
		told := fed(t, f)
		time.Sleep(linesPause)
		count := func() (lines int) {
			for _, batch := range told(kindLines) {
				var all []orchestrator.Line
				if err := json.Unmarshal([]byte(batch), &all); err != nil {
					t.Fatal(err)
				}
				lines += len(all)
			}
			return lines
		}
		if n := count(); n != keptLines {
			t.Fatalf("%d lines of before are told", n)
		}
		for i := range 1000 { // in a second
			f.change(func(f *fake) {
				f.lines = append(f.lines, orchestrator.Line{Node: "n2", Time: time.Now(), Seq: uint64(i + 1), Text: fmt.Sprint(i)})
			})
			time.Sleep(time.Millisecond)
		}
		time.Sleep(linesPause)
		if n := count(); n != keptLines+1000 || len(told(kindLines)) > 13 {
			t.Errorf("%d lines in %d batches", n, len(told(kindLines)))
		}
	})
}

// After a supervisor went and came back nothing is told twice, and nothing is left out.
func TestAReconnectRepeatsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		n := 0
		more := func() {
			n++
			f.change(func(f *fake) {
				f.events = append(f.events, orchestrator.Event{Seq: uint64(n), Time: time.Now(), Text: fmt.Sprint("event ", n)})
				f.journal = append(f.journal, orchestrator.JournalEntry{Time: time.Now(), Source: orchestrator.FromUser, Node: "n1", Text: fmt.Sprint("entry ", n)})
				f.lines = append(f.lines, orchestrator.Line{Node: "n1", Time: time.Now(), Seq: uint64(n), Text: fmt.Sprint("line ", n)})
			})
			time.Sleep(10 * time.Millisecond)
		}
		told := fed(t, f)
		for range 20 {
			more()
		}
		time.Sleep(5 * time.Second)
		f.change(func(f *fake) { f.fail = orchestrator.ErrNoSupervisor })
		time.Sleep(100 * time.Millisecond)
		for range 5 { // while nobody listens
			more()
		}
		time.Sleep(3 * time.Second)
		f.change(func(f *fake) { f.fail = nil })
		time.Sleep(3 * time.Second)
		// Another supervisor counts its events anew.
		f.change(func(f *fake) {
			f.fail, f.events, f.journal = orchestrator.ErrNoSupervisor, nil, nil
		})
		time.Sleep(2 * time.Second)
		f.change(func(f *fake) {
			f.fail = nil
			f.events = []orchestrator.Event{{Seq: 1, Time: time.Now(), Text: "event adopted"}}
		})
		more()
		time.Sleep(5 * time.Second)
		for kind, word := range map[string]string{kindHappened: "event ", kindJournal: "entry ", kindLines: "line "} {
			all := strings.Join(told(kind), "")
			for i := 1; i <= n; i++ {
				if c := strings.Count(all, fmt.Sprintf("%q", fmt.Sprint(word, i))); c != 1 {
					t.Errorf("%s%d is told %d times", word, i, c)
				}
			}
		}
		if all := strings.Join(told(kindHappened), ""); !strings.Contains(all, "event adopted") {
			t.Error("the first event of another supervisor is missing")
		}
		if n := len(told(kindGone)); n < 2 {
			t.Errorf("gone is told %d times", n)
		}
	})
}

// An unsupervised cluster is looked at less often, since each look asks the engine.
func TestAnUnsupervisedCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.supervised = false
		told := fed(t, f)
		for i := range 100 {
			f.change(func(f *fake) { f.status.Nodes[0].PID = i })
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(told(kindStatus)); n < 5 || n > 6 {
			t.Errorf("told %d times in ten seconds", n)
		}
		if n := len(told(kindGone)); n > 0 {
			t.Errorf("gone %d times", n)
		}
		f.change(func(f *fake) { f.supervised = true })
		time.Sleep(5 * time.Second)
		all := told(kindStatus)
		if !strings.Contains(all[len(all)-1], `"supervised":true`) || len(told(kindGone)) > 0 {
			t.Error("its new supervisor is not noticed, or it was gone")
		}
	})
}

// A feed outlives a browser that reloads its page, and ends ten seconds after the last one.
func TestAFeedEndsAfterItsLastBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := New(&Listener{port: 1}, Options{Source: f})
		defer s.wg.Wait()
		defer s.cancel()
		a, b := s.join("demo"), s.join("demo")
		if a != b {
			t.Error("two browsers have two feeds")
		}
		s.leave(a)
		time.Sleep(linger * 2)
		s.leave(b)
		time.Sleep(linger - time.Second)
		if s.join("demo") != a {
			t.Error("a browser that comes back gets another feed")
		}
		time.Sleep(linger * 2)
		s.leave(a)
		time.Sleep(linger)
		synctest.Wait()
		if f.mu.Lock(); f.open != 0 || f.opened != 1 {
			t.Errorf("%d clusters are open, of %d", f.open, f.opened)
		}
		f.mu.Unlock()
		if c := s.join("demo"); c == a {
			t.Error("a feed that ended is used again")
		}
	})
}
