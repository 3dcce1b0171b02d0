package top

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/term"
)

// supervisor is a cluster that answers until it is gone.
type supervisor struct {
	orchestrator.Controller
	mu     sync.Mutex
	gone   chan struct{} // closed when it is
	events []orchestrator.Event
	panics bool
	asked  []string
}

func newSupervisor(texts ...string) *supervisor {
	return &supervisor{gone: make(chan struct{}), events: history(texts...).Events}
}

var errGone = errors.New("gone")

func (s *supervisor) answers() error {
	select {
	case <-s.gone:
		return errGone
	default:
		return nil
	}
}

func (s *supervisor) Status(context.Context) (orchestrator.Status, error) {
	return nodes(3), s.answers()
}

func (s *supervisor) Health(context.Context) (orchestrator.HealthReport, error) {
	if s.panics {
		panic("a bug")
	}
	return measured(nodes(3)).Report, s.answers()
}

func (s *supervisor) Events(ctx context.Context, _ uint64, _ bool, fn func(orchestrator.Event) error) error {
	for _, e := range s.events {
		if err := fn(e); err != nil {
			return err
		}
	}
	return s.wait(ctx)
}

func (s *supervisor) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.gone:
		return errGone
	}
}

func (s *supervisor) Logs(ctx context.Context, q orchestrator.LogQuery, fn func(orchestrator.Line) error) error {
	for i := range 3 {
		if err := fn(orchestrator.Line{Node: q.Nodes[0], Text: fmt.Sprint(i)}); err != nil {
			return err
		}
	}
	return s.wait(ctx)
}

func (s *supervisor) Kill(_ context.Context, signal string, nodes ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, "kill "+signal+" "+strings.Join(nodes, " "))
	return nil
}

func (s *supervisor) link() *Link {
	return &Link{Controller: s, Supervised: true, Heal: func(context.Context) error { return errGone }, Close: func() {}}
}

// world connects to what is there.
type world struct {
	mu       sync.Mutex
	link     func() (*Link, error)
	messages []tea.Msg
}

func (w *world) connect(context.Context) (*Link, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.link == nil { // it is not there yet
		return nil, errGone
	}
	return w.link()
}

func (w *world) becomes(link func() (*Link, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.link = link
}

func (w *world) send(msg tea.Msg) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.messages = append(w.messages, msg)
}

// told returns what was sent since it was last asked, repeats left out. Health is last: another
// goroutine asks for it.
func (w *world) told() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var words []string
	for _, msg := range w.messages {
		word := ""
		switch msg := msg.(type) {
		case Happened:
			word = fmt.Sprintf("events %t", msg.Anew)
			for _, e := range msg.Events {
				word += " " + e.Text
			}
		case Printed:
			word = fmt.Sprintf("log %s %t %d", msg.Node, msg.Anew, len(msg.Lines))
		case Lost:
			word = "lost: " + msg.Err.Error()
		case broken:
			word = fmt.Sprint("broken: ", msg.cause)
		case Found:
			word = "found"
		case Told:
			if word = "status"; !msg.Status.Supervised {
				word = "labels"
			}
		case Examined:
			word = "health"
		}
		known := false
		for _, w := range words {
			known = known || w == word
		}
		if !known {
			words = append(words, word)
		}
	}
	w.messages = nil
	if at := slices.Index(words, "health"); at >= 0 {
		words = append(slices.Delete(words, at, at+1), "health")
	}
	return strings.Join(words, "; ")
}

// watch runs a feed in a bubble of virtual time, until the test is over.
func watch(t *testing.T, w *world, test func(f *feed, after func(time.Duration) string)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := newFeed(w.connect, w.send)
		var wg sync.WaitGroup
		wg.Go(func() { f.run(ctx) })
		test(f, func(d time.Duration) string {
			time.Sleep(d)
			synctest.Wait()
			return w.told()
		})
		cancel()
		wg.Wait()
	})
}

func compare(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\ngot  %s\nwant %s", what, got, want)
	}
}

func TestTheFeedGoesOnWhenASupervisorReturns(t *testing.T) {
	w := &world{}
	watch(t, w, func(f *feed, after func(time.Duration) string) {
		first := newSupervisor("a", "b")
		w.becomes(func() (*Link, error) { return first.link(), nil })
		f.follow("n2")
		got := after(2 * time.Second)
		for _, want := range []string{"found", "status", "health", "events true a b", "log n2 true 3"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in %s", want, got)
			}
		}
		w.becomes(func() (*Link, error) { return nil, errGone })
		close(first.gone)
		compare(t, "nothing answers", after(3*time.Second), "lost: gone")
		second := newSupervisor("adopted")
		w.becomes(func() (*Link, error) { return second.link(), nil })
		got = after(2 * time.Second)
		for _, want := range []string{"found", "status", "events true adopted", "log n2 true 3"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in %s", want, got)
			}
		}
	})
}

// Without a supervisor the labels tell, until one answers. That it was lost stays known.
func TestTheFeedPrefersASupervisor(t *testing.T) {
	w := &world{}
	watch(t, w, func(_ *feed, after func(time.Duration) string) {
		first := newSupervisor()
		w.becomes(func() (*Link, error) { return first.link(), nil })
		after(time.Second)
		labels := newSupervisor()
		unsupervised := labels.link()
		better := make(chan struct{})
		unsupervised.Controller, unsupervised.Supervised = unsupervisedStatus{labels}, false
		unsupervised.Better = func(context.Context) bool {
			select {
			case <-better:
				return true
			default:
				return false
			}
		}
		w.becomes(func() (*Link, error) { return unsupervised, nil })
		close(first.gone)
		compare(t, "without a supervisor", after(3*time.Second), "lost: gone; labels; health")
		second := newSupervisor()
		w.becomes(func() (*Link, error) { return second.link(), nil })
		close(better)
		if got := after(time.Second); !strings.Contains(got, "found; status") {
			t.Error(got)
		}
	})
}

// unsupervisedStatus is what labels tell.
type unsupervisedStatus struct{ *supervisor }

func (u unsupervisedStatus) Status(ctx context.Context) (orchestrator.Status, error) {
	st, err := u.supervisor.Status(ctx)
	st.Supervised = false
	return st, err
}

func TestTheFeedFollowsOneLog(t *testing.T) {
	w := &world{}
	watch(t, w, func(f *feed, after func(time.Duration) string) {
		s := newSupervisor()
		w.becomes(func() (*Link, error) { return s.link(), nil })
		after(time.Second)
		for _, node := range []string{"n1", "n3"} {
			f.follow(node)
			if got := after(time.Second); !strings.Contains(got, "log "+node+" true 3") {
				t.Errorf("%s: %s", node, got)
			}
		}
		f.follow("")
		if got := after(time.Second); strings.Contains(got, "log") {
			t.Error(got)
		}
	})
}

func TestTheFeedActs(t *testing.T) {
	w := &world{link: func() (*Link, error) { return nil, errGone }}
	watch(t, w, func(f *feed, after func(time.Duration) string) {
		after(time.Second)
		if err := f.act(t.Context(), Kill, "n1"); !errors.Is(err, errNotConnected) {
			t.Error(err)
		}
		s := newSupervisor()
		w.becomes(func() (*Link, error) { return s.link(), nil })
		after(2 * time.Second)
		if err := f.act(t.Context(), Kill, "n1"); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"kill KILL n1"}, s.asked); diff != "" {
			t.Error(diff)
		}
		if err := f.act(t.Context(), Heal, ""); !errors.Is(err, errGone) {
			t.Error(err)
		}
	})
}

// A panic in a goroutine of the feed reaches the event loop, which restores the terminal.
func TestAPanicOfTheFeedReachesTheEventLoop(t *testing.T) {
	w := &world{}
	watch(t, w, func(_ *feed, after func(time.Duration) string) {
		s := newSupervisor()
		s.panics = true
		w.becomes(func() (*Link, error) { return s.link(), nil })
		if got := after(time.Second); !strings.Contains(got, "broken: a bug") {
			t.Error(got)
		}
	})
	defer func() {
		if recover() != "a bug" {
			t.Error("the event loop does not panic")
		}
	}()
	start(&recorder{}, 80, 24, broken{"a bug"})
}

// The terminal is as before after a panic, whichever goroutine had it.
func TestAPanicRestoresTheTerminal(t *testing.T) {
	own, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&shown, own) // EIO when the other side is closed
	}()
	s := newSupervisor()
	s.panics = true
	err = Run(t.Context(), Options{Cluster: "demo", In: tty, Out: tty, Connect: func(context.Context) (*Link, error) { return s.link(), nil }})
	if !errors.Is(err, ErrPanic) || !strings.Contains(err.Error(), "model.go") {
		t.Error(err)
	}
	after, err := term.GetState(int(tty.Fd()))
	if err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("the terminal's modes are not restored: %v", err)
	}
	tty.Close()
	<-read
	if text := shown.String(); strings.LastIndex(text, "\x1b[?1049l") < strings.LastIndex(text, "\x1b[?1049h") {
		t.Errorf("the screen is not restored: %q", text)
	}
}
