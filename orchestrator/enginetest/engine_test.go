package enginetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/enginetest/contract"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	for _, disorder := range []time.Duration{0, 5 * time.Millisecond} {
		t.Run("stamps early by "+disorder.String(), func(t *testing.T) {
			contract.Run(t, func(testing.TB) orchestrator.Engine {
				e := enginetest.New("script")
				e.Program = func(orchestrator.ContainerSpec) enginetest.Program { return enginetest.Script }
				e.Command, e.Disorder = enginetest.Script, disorder
				return e
			}, "script")
		})
	}
}

// The engine replays events as the contract allows: an event whose time is earlier than
// that of the event before it hides that one.
func TestDisorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := enginetest.New("image")
		e.Disorder = 5 * time.Millisecond
		ids := map[string]string{}
		for _, name := range []string{"a", "b"} {
			id, err := e.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: name, Image: "image"})
			if err != nil {
				t.Fatal(err)
			}
			ids[id] = name
			time.Sleep(time.Minute)
		}
		listen := func(since time.Time) (text string, last time.Time) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			_ = e.Events(ctx, since, nil, func() {}, func(ev orchestrator.ContainerEvent) {
				text, last = text+ids[ev.ID]+" "+ev.Action+" ", ev.Time
			}) // ends with the timeout
			return text, last
		}
		if err := e.StartContainer(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		_, started := listen(time.Unix(0, 0))
		if err := e.StartContainer(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		defer e.ExternalKill("a", "KILL")
		defer e.ExternalKill("b", "KILL")
		if got, _ := listen(started); got != "" {
			t.Errorf("since a's start: %q, want it and b's hidden by b's stamp", got)
		}
		if got, _ := listen(started.Add(-time.Second)); got != "a start b start " {
			t.Errorf("since a second before: %q", got)
		}
	})
}

// world is an engine with one running container, and the events that arrived.
type world struct {
	*enginetest.Engine
	t     *testing.T
	id    string
	mu    sync.Mutex
	heard []string
	ended error // of the event stream
}

// inBubble runs a test in a synctest bubble with a world, which is removed at its end.
func inBubble(t *testing.T, program enginetest.Program, test func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{Engine: enginetest.New("image"), t: t}
		w.Program = func(orchestrator.ContainerSpec) enginetest.Program { return program }
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			w.ended = w.Events(ctx, time.Time{}, nil, func() {}, w.hear)
		}()
		synctest.Wait()
		id, err := w.CreateContainer(ctx, orchestrator.ContainerSpec{Name: "c", Image: "image"})
		if err := errors.Join(err, w.StartContainer(ctx, id)); err != nil {
			t.Fatal(err)
		}
		w.id = id
		synctest.Wait()
		test(t, w)
		w.ExternalRemove("c")
	})
}

func (w *world) hear(e orchestrator.ContainerEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = append(w.heard, word(e))
}

func word(e orchestrator.ContainerEvent) string {
	switch e.Action {
	case "die":
		return fmt.Sprintf("die(%d)", e.ExitCode)
	case "kill":
		return "kill(" + e.Signal + ")"
	}
	return e.Action
}

// hears compares the whole history so far.
func (w *world) hears(want string) {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if diff := cmp.Diff(want, strings.Join(w.heard, " ")); diff != "" {
		w.t.Errorf("heard (-want +got):\n%s", diff)
	}
}

func stubborn(ctx context.Context, _ *enginetest.Process) int {
	<-ctx.Done()
	return 0
}

func exits(code int) enginetest.Program {
	return func(context.Context, *enginetest.Process) int { return code }
}

func TestHistories(t *testing.T) {
	for _, tt := range []struct {
		name    string
		program enginetest.Program // nil: the default
		act     func(*world)
		want    string
	}{
		{"an exit", exits(3), func(*world) {}, "create start die(3)"},
		{"docker stop", nil, func(w *world) { w.ExternalStop("c") }, "create start kill(15) die(0) stop"},
		{"docker stop of a stubborn one", stubborn, func(w *world) { w.ExternalStop("c") }, "create start kill(15) kill(9) die(137) stop"},
		{"docker stop of a paused one", nil, func(w *world) { w.Pause("c"); w.ExternalStop("c") }, "create start pause kill(15) unpause die(0) stop"},
		{"docker kill", nil, func(w *world) { w.ExternalKill("c", "KILL") }, "create start kill(9) die(137)"},
		{"docker kill -s TERM", nil, func(w *world) { w.ExternalKill("c", "SIGTERM") }, "create start kill(15) die(0)"},
		{"docker rm -f", nil, func(w *world) { w.ExternalRemove("c") }, "create start kill(9) die(137) destroy"},
		{"out of memory", nil, func(w *world) { w.OOM("c") }, "create start oom die(137)"},
		{"docker start again", exits(1), func(w *world) { w.ExternalStart("c") }, "create start die(1) start die(1)"},
		{"docker pause and unpause", nil, func(w *world) { w.Pause("c"); w.Unpause("c") }, "create start pause unpause"},
		{"nothing of what is not there", nil, func(w *world) { w.ExternalStop("x"); w.ExternalKill("x", "KILL"); w.OOM("x") }, "create start"},
		{"lost events", nil, func(w *world) { w.DropEvents(1); w.ExternalKill("c", "KILL") }, "create start die(137)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, tt.program, func(_ *testing.T, w *world) {
				tt.act(w)
				w.hears(tt.want)
			})
		})
	}
}

func TestStopTakesItsGrace(t *testing.T) {
	inBubble(t, stubborn, func(t *testing.T, w *world) {
		began := time.Now()
		if err := w.StopContainer(t.Context(), w.id, 7*time.Second); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 7*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestStopGoesOnWithoutItsCaller(t *testing.T) {
	inBubble(t, stubborn, func(t *testing.T, w *world) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.StopContainer(ctx, w.id, 7*time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		w.hears("create start kill(15)")
		time.Sleep(6 * time.Second)
		w.hears("create start kill(15) kill(9) die(137) stop")
	})
}

func TestOOMIsInTheState(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		w.OOM("c")
		c, err := w.InspectContainer(t.Context(), "c")
		if err != nil || !c.State.OOMKilled || c.State.ExitCode != 137 {
			t.Errorf("%+v, %v", c.State, err)
		}
		w.ExternalStart("c")
		if c, err = w.InspectContainer(t.Context(), "c"); err != nil || c.State.OOMKilled || !c.State.Running {
			t.Errorf("again: %+v, %v", c.State, err)
		}
	})
}

func TestFailNext(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		first, second := errors.New("first"), errors.New("second")
		w.FailNext("InspectContainer", first, second)
		for _, want := range []error{first, second, nil} {
			if _, err := w.InspectContainer(t.Context(), w.id); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
	})
}

func TestBreakStreams(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		logs, err := w.Logs(t.Context(), w.id, time.Time{}, true)
		if err != nil {
			t.Fatal(err)
		}
		defer logs.Close()
		w.BreakStreams()
		for err == nil {
			_, err = logs.Next()
		}
		if errors.Is(err, io.EOF) {
			t.Error("the log ended without an error")
		}
		synctest.Wait()
		if w.ended == nil || errors.Is(w.ended, context.Canceled) {
			t.Errorf("the events ended with %v", w.ended)
		}
	})
}

// An engine keeps 256 events: a later caller must list the containers.
func TestRing(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		for range 300 {
			w.ExternalKill("c", "USR1")
		}
		ctx, cancel := context.WithCancel(t.Context())
		replayed := 0
		go func() {
			_ = w.Events(ctx, time.Unix(1, 0), nil, func() {}, func(orchestrator.ContainerEvent) { replayed++ }) // ends with ctx
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if replayed != 256 {
			t.Errorf("%d events replayed", replayed)
		}
	})
}

func TestProgramsKnowTheirRun(t *testing.T) {
	var runs []int
	program := func(_ context.Context, p *enginetest.Process) int {
		runs = append(runs, p.Run)
		return p.Run
	}
	inBubble(t, program, func(_ *testing.T, w *world) {
		w.ExternalStart("c")
		w.hears("create start die(1) start die(2)")
	})
	if diff := cmp.Diff([]int{1, 2}, runs); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}

// Output that a killed program still prints is lost, and does not appear in a later run.
func TestTheDeadPrintNothing(t *testing.T) {
	late := make(chan error, 1)
	program := func(ctx context.Context, p *enginetest.Process) int {
		<-ctx.Done()
		_, err := io.WriteString(p.Stdout, "late\n")
		late <- err
		return 0
	}
	inBubble(t, program, func(t *testing.T, w *world) {
		w.ExternalKill("c", "KILL")
		synctest.Wait()
		if err := <-late; err == nil {
			t.Error("printed")
		}
		w.hears("create start kill(9) die(137)")
	})
}

func TestImages(t *testing.T) {
	e := enginetest.New()
	ctx := t.Context()
	if err := e.Pull(ctx, "app:1", io.Discard); !errors.Is(err, images.ErrNoRegistry) {
		t.Errorf("pull: %v", err)
	}
	labels := map[string]string{"a": "b"}
	id, err := e.Build(ctx, images.Build{Context: strings.NewReader(""), Tags: []string{"app:1", "app:latest"}, Labels: labels}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"app:1", "app:latest", id} {
		info, err := e.Image(ctx, ref)
		if diff := cmp.Diff(images.Info{ID: id, Labels: labels}, info); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", ref, err, diff)
		}
	}
	id = e.AddImage("base")
	if info, err := e.Image(ctx, "base"); err != nil || info.ID != id {
		t.Errorf("base: %+v, %v", info, err)
	}
}

func TestLeft(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		if _, err := w.CreateNetwork(t.Context(), orchestrator.NetworkSpec{Name: "n", Subnet: netip.MustParsePrefix("10.215.0.0/28")}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"container c", "network n"}, w.Left()); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	})
}
