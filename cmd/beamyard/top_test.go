package main

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/effects"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/creack/pty"
)

// mutable is a supervised cluster of two nodes, which a kill takes down for good.
type mutable struct {
	answering
	mu     sync.Mutex
	killed map[string]bool
}

func (m *mutable) Status(context.Context) (orchestrator.Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	st := orchestrator.Status{Cluster: m.name, Supervised: true}
	for name, peer := range map[string]string{"n1": "n2", "n2": "n1"} {
		n := orchestrator.NodeStatus{Name: name, State: orchestrator.Ready, Peers: []string{peer}}
		if m.killed[name] {
			n.State, n.Peers, n.Reason = orchestrator.Failed, nil, "killed by a key"
		}
		st.Nodes = append(st.Nodes, n)
	}
	if st.Nodes[0].Name != "n1" {
		st.Nodes[0], st.Nodes[1] = st.Nodes[1], st.Nodes[0]
	}
	return st, nil
}

func (m *mutable) Health(context.Context) (orchestrator.HealthReport, error) {
	return orchestrator.HealthReport{Report: health.Report{Cluster: m.name, Time: time.Now(), Passed: true}}, nil
}

func (m *mutable) Events(ctx context.Context, _ uint64, follow bool, fn func(orchestrator.Event) error) error {
	if err := fn(orchestrator.Event{Seq: 1, Time: time.Now(), Text: "the first event"}); err != nil || !follow {
		return err
	}
	<-ctx.Done()
	return nil
}

func (m *mutable) Logs(ctx context.Context, q orchestrator.LogQuery, fn func(orchestrator.Line) error) error {
	if err := fn(orchestrator.Line{Node: q.Nodes[0], Stream: orchestrator.Stdout, Text: "a line of " + q.Nodes[0]}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func (m *mutable) Kill(_ context.Context, _ string, nodes ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range nodes {
		m.killed[n] = true
	}
	return nil
}

// serve makes a supervisor of the cluster answer until stop is called.
func serve(t *testing.T, c *mutable) (stop func()) {
	t.Helper()
	l, err := control.Listen(t.Context(), c.name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- control.Serve(ctx, l, c) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// Escape sequences of a full-screen program: ECMA-48's CSI, and xterm's OSC.
var escapes = regexp.MustCompile("\x1b\\[[0-9;?<>=$]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|\x1b[=>78HMc()][B0]?")

// draws waits until a screen that is drawn anew has a text. A program that draws only what
// changed sends parts of words: each new size makes it draw everything.
func (x *terminal) draws(text string) {
	x.t.Helper()
	size := pty.Winsize{Rows: 30, Cols: 120}
	deadline := time.After(90 * time.Second)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		x.mu.Lock()
		from := x.text.Len()
		x.mu.Unlock()
		size.Cols = 241 - size.Cols
		if err := pty.Setsize(x.tty, &size); err != nil {
			x.t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-x.done:
			x.t.Fatalf("ended without %q:\n%s", text, x)
		case <-deadline:
			x.t.Fatalf("no %q in\n%s", text, x)
		}
		x.mu.Lock()
		drawn := x.text.String()[from:]
		x.mu.Unlock()
		if strings.Contains(escapes.ReplaceAllString(drawn, ""), text) {
			return
		}
	}
}

// The codes with which xterm shows its other screen, and hides it.
const (
	otherScreen = "\x1b[?1049h"
	ownScreen   = "\x1b[?1049l"
)

// left checks that a view has ended and restored the terminal.
func left(t *testing.T, x *terminal, how string, want int) {
	t.Helper()
	code := x.exits()
	text := x.String()
	if code != want || !sameModes(modes(t, x.tty), plainModes(t)) {
		t.Errorf("%s: exit %d, the terminal's modes are restored: %v\n%q", how, code, sameModes(modes(t, x.tty), plainModes(t)), text)
	}
	if strings.LastIndex(text, ownScreen) < strings.LastIndex(text, otherScreen) || strings.LastIndex(text, showCursor) < strings.LastIndex(text, hideCursor) {
		t.Errorf("%s: the screen or the cursor is not restored: %q", how, text)
	}
}

func TestTopOnATerminal(t *testing.T) {
	supervisors(t)
	c := &mutable{answering: answering{name: "shop"}, killed: map[string]bool{}}
	stop := serve(t, c)
	x := onTerminal(t, nil, "top")
	x.shows(otherScreen)
	x.draws("all is well: every pair is connected")
	x.draws("the first event")
	if sameModes(modes(t, x.tty), plainModes(t)) {
		t.Error("keys are not read one by one")
	}

	x.types("jK")
	x.draws("? kill n2: K or Enter does it")
	if st, _ := c.Status(t.Context()); st.Nodes[1].State != orchestrator.Ready {
		t.Error("one press killed")
	}
	x.types("K")
	x.draws("n2 is failed: killed by a key")
	x.draws("✓ beamyard kill shop/n2")

	x.types("l")
	x.draws("a line of n2")
	x.types("/nothing\r")
	x.draws("0 of 1 lines match /nothing/")

	stop()
	x.draws("! not connected since ")
	again := &mutable{answering: answering{name: "shop"}, killed: map[string]bool{}}
	serve(t, again)
	x.draws("all is well: every pair is connected")

	x.types("q")
	left(t, x, "q", exitOK)
}

func TestTopRestoresTheTerminal(t *testing.T) {
	supervisors(t)
	serve(t, &mutable{answering: answering{name: "shop"}, killed: map[string]bool{}})
	for _, tc := range []struct {
		name string
		end  func(x *terminal)
		code int
	}{
		{"Ctrl-C", func(x *terminal) { x.types(ctrlC) }, exitInterrupted},
		{"SIGINT", func(x *terminal) { kill(t, x, syscall.SIGINT) }, exitInterrupted},
		{"SIGTERM", func(x *terminal) { kill(t, x, syscall.SIGTERM) }, exitInterrupted},
		{"SIGHUP", func(x *terminal) { kill(t, x, syscall.SIGHUP) }, exitInterrupted},
		{"SIGQUIT", func(x *terminal) { kill(t, x, syscall.SIGQUIT) }, goQuit},
	} {
		x := onTerminal(t, nil, "top", "shop")
		x.draws("all is well")
		tc.end(x)
		left(t, x, tc.name, tc.code)
	}
}

func TestTopWithoutColours(t *testing.T) {
	supervisors(t)
	serve(t, &mutable{answering: answering{name: "shop"}, killed: map[string]bool{}})
	coloured := regexp.MustCompile("\x1b\\[[0-9;]*[1-9][0-9;]*m")
	for env, want := range map[string]bool{"NO_COLOR=": true, "NO_COLOR=1": false} {
		x := onTerminal(t, []string{env}, "top", "--read-only")
		x.draws("all is well")
		x.types("K")
		x.draws("read-only; this does it: beamyard kill shop/n1")
		x.types("q")
		left(t, x, env, exitOK)
		if got := coloured.MatchString(x.String()); got != want {
			t.Errorf("%s: coloured: %t\n%q", env, got, x)
		}
	}
}

// Without a terminal the view is a text, once.
func TestTopWithoutATerminal(t *testing.T) {
	supervisors(t)
	serve(t, &mutable{answering: answering{name: "shop"}, killed: map[string]bool{"n1": true}})
	t.Setenv("COLUMNS", "90")
	code, stdout, stderr := beamyard("top")
	for _, want := range []string{"✗ n1 is failed: killed by a key", "\n  n2 ", "WHO SEES WHOM", "- 1 down", "the first event\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if code != exitOK || strings.Contains(stdout, "\x1b") || !strings.Contains(stderr, "for scripts: beamyard ps --json shop") {
		t.Errorf("exit %d\n%q\n%s", code, stdout, stderr)
	}
	if _, _, stderr = beamyard("top", "--once"); strings.Contains(stderr, "hint") {
		t.Error(stderr)
	}
	code, stdout, _ = beamyard("top", "--json")
	var s struct {
		Status    orchestrator.Status
		Relations effects.Relations
	}
	if err := json.Unmarshal([]byte(stdout), &s); err != nil || code != exitOK || len(s.Status.Nodes) != 2 || s.Relations.Rows[0][1] != effects.Absent {
		t.Errorf("exit %d, %v\n%s", code, err, stdout)
	}
	if code, _, stderr = beamyard("top", "nobody"); code != exitUnsupported {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// A node that is killed by a key is seen down and back, and a fault that is healed by a key is
// over.
func TestTopOnACluster(t *testing.T) {
	t.Parallel()
	cluster, env := upOn(t, "top", "trixie", 2)
	x := onTerminal(t, env, "top")
	x.draws("all is well: every pair is connected")
	x.types("jKK")
	x.draws("- 1 down")
	x.draws("all is well: every pair is connected")
	x.draws("n2 backing-off")

	answer(t, env, "partition", "n2", "--kind", "reset", "--no-wait")
	x.draws("/ 1 cut by a fault")
	x.types("h")
	x.draws("all is well: every pair is connected")
	x.draws("✓ beamyard heal -c " + cluster)
	x.types("q")
	left(t, x, "q", exitOK)
}
