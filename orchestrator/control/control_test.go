package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/codesync"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a cluster that does what its fields say, and records the calls.
type fake struct {
	orchestrator.Controller
	asked  chan string
	fail   error
	events []orchestrator.Event
	lines  []orchestrator.Line
	gate   chan struct{} // WaitReady and followers wait until it is closed
	ended  chan error    // receives the error of each cancelled context
}

func newFake() *fake {
	return &fake{asked: make(chan string, 10), gate: make(chan struct{}), ended: make(chan error, 10)}
}

func (f *fake) ask(format string, args ...any) error {
	f.asked <- fmt.Sprintf(format, args...)
	return f.fail
}

func (f *fake) wait(ctx context.Context) error {
	select {
	case <-f.gate:
		return nil
	case <-ctx.Done():
		f.ended <- ctx.Err()
		return ctx.Err()
	}
}

func (f *fake) Status(context.Context) (orchestrator.Status, error) {
	return orchestrator.Status{Cluster: "demo", Supervised: true, Nodes: []orchestrator.NodeStatus{{Name: "n1", State: orchestrator.Ready}}}, f.fail
}

func (f *fake) Health(context.Context) (orchestrator.HealthReport, error) {
	return orchestrator.HealthReport{Report: health.Report{
		Cluster: "demo", Passed: true, Took: time.Millisecond, Matrix: health.Matrix{Nodes: []string{"n1"}, Rows: [][]health.Sight{{""}}},
		Checks: []health.Check{{Group: health.Code, Name: "modules", State: health.Unknown, Figures: []health.Figure{{Name: "modules", Value: 3}}}},
		Nodes:  []health.NodeReport{{Name: "n1", Sample: &health.Sample{Load: health.Load{Part: 0.5, Known: true}}}},
	}}, f.fail
}

func (f *fake) WaitReady(ctx context.Context) error {
	if err := f.wait(ctx); err != nil {
		return err
	}
	return f.fail
}

func (f *fake) Events(ctx context.Context, after uint64, follow bool, fn func(orchestrator.Event) error) error {
	for _, e := range f.events {
		if e.Seq > after {
			if err := fn(e); err != nil {
				return err
			}
		}
	}
	if follow {
		_ = f.wait(ctx) // the end of a follower is not an error
	}
	return f.fail
}

func (f *fake) Logs(ctx context.Context, q orchestrator.LogQuery, fn func(orchestrator.Line) error) error {
	f.asked <- fmt.Sprintf("logs %v %q tail=%d since=%s follow=%t", q.Nodes, q.Stream, q.Tail, q.Since.Format(time.RFC3339Nano), q.Follow)
	for _, l := range f.lines {
		if err := fn(l); err != nil {
			return err
		}
	}
	if q.Follow {
		_ = f.wait(ctx) // the end of a follower is not an error
	}
	return f.fail
}

func (f *fake) Journal(context.Context) ([]orchestrator.JournalEntry, error) {
	return []orchestrator.JournalEntry{
		{Time: time.Date(2026, 1, 31, 12, 0, 0, 123456789, time.UTC), Source: orchestrator.FromEngine, Node: "n1", Text: "die (exit 1)"},
		{Time: time.Date(2026, 1, 31, 12, 0, 1, 0, time.UTC), Source: orchestrator.FromNode, Node: "n2", Peer: "n1", Text: "nodedown n1"},
	}, f.fail
}

func (f *fake) Start(_ context.Context, n ...string) error   { return f.ask("start %v", n) }
func (f *fake) Stop(_ context.Context, n ...string) error    { return f.ask("stop %v", n) }
func (f *fake) Restart(_ context.Context, n ...string) error { return f.ask("restart %v", n) }
func (f *fake) Kill(_ context.Context, s string, n ...string) error {
	return f.ask("kill %s %v", s, n)
}
func (f *fake) Pause(_ context.Context, n ...string) error   { return f.ask("pause %v", n) }
func (f *fake) Unpause(_ context.Context, n ...string) error { return f.ask("unpause %v", n) }
func (f *fake) Sync(_ context.Context, o orchestrator.SyncOptions) (codesync.Report, error) {
	return codesync.Report{Cluster: "demo", Changed: []string{"Elixir.Demo"}, Took: time.Second}, f.ask("sync %+v", o)
}
func (f *fake) Eval(ctx context.Context, node, expression string, o orchestrator.EvalOptions) (string, error) {
	f.asked <- fmt.Sprintf("eval %s %s %s %t", node, expression, o.File, o.Erlang)
	switch expression {
	case "raise":
		return "", &orchestrator.EvalError{Node: node, Text: "** (RuntimeError) no", Trace: "rpc:1"}
	case "wait":
		err := f.wait(ctx)
		return "", err
	}
	for _, text := range []string{"one\n", "", "two\xff\n"} {
		if _, err := io.WriteString(o.Output, text); err != nil {
			return "", err
		}
	}
	return "\xfe:ok", f.fail
}
func (f *fake) Down(context.Context) error { return f.ask("down") }

// home sets up a folder for the test, and returns the folder of sockets in it.
func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	return filepath.Join(dir, "beamyard")
}

// served dials a server of f. The server has ended when the test ends.
func served(t *testing.T, f orchestrator.Controller) (c *Client, stop func() error) {
	t.Helper()
	home(t)
	l, err := Listen(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, f) }()
	c, err = Dial(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() error {
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		c.Close()
		if !stopped {
			if err := stop(); err != nil {
				t.Errorf("Serve: %v", err)
			}
		}
	})
	return c, stop
}

func TestCommandsReachTheController(t *testing.T) {
	f := newFake()
	c, _ := served(t, f)
	ctx := t.Context()
	for _, tc := range []struct {
		want string
		do   func() error
	}{
		{"start [n1 n2]", func() error { return c.Start(ctx, "n1", "n2") }},
		{"stop [n1]", func() error { return c.Stop(ctx, "n1") }},
		{"restart [n3]", func() error { return c.Restart(ctx, "n3") }},
		{"kill USR1 [n2]", func() error { return c.Kill(ctx, "USR1", "n2") }},
		{"pause [n1 n2]", func() error { return c.Pause(ctx, "n1", "n2") }},
		{"unpause [n1]", func() error { return c.Unpause(ctx, "n1") }},
		{"sync {Nodes:[n1] Rolling:true Restart:false PurgeHard:true}", func() error {
			r, err := c.Sync(ctx, orchestrator.SyncOptions{Nodes: []string{"n1"}, Rolling: true, PurgeHard: true})
			if r.Took != time.Second || len(r.Changed) != 1 {
				t.Errorf("the report arrived as %+v", r)
			}
			return err
		}},
		{"down", func() error { return c.Down(ctx) }},
	} {
		if err := tc.do(); err != nil {
			t.Errorf("%s: %v", tc.want, err)
		}
		if got := <-f.asked; got != tc.want {
			t.Errorf("the calls are %q, want %q", got, tc.want)
		}
	}
}

func TestStatusAndSupervisor(t *testing.T) {
	f := newFake()
	c, _ := served(t, f)
	got, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want, _ := f.Status(t.Context())
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b orchestrator.Status) bool { return fmt.Sprint(a) == fmt.Sprint(b) })); diff != "" {
		t.Error(diff)
	}
	wantReport, _ := f.Health(t.Context())
	report, err := c.Health(t.Context())
	if diff := cmp.Diff(wantReport, report, cmpopts.IgnoreUnexported(health.Sample{})); diff != "" || err != nil {
		t.Error(diff, err)
	}
	s, err := c.Supervisor(t.Context())
	if err != nil || s.Cluster != "demo" || s.PID != os.Getpid() || s.Goroutines < 2 {
		t.Errorf("Supervisor = %+v, %v", s, err)
	}
}

func TestTheJournalArrivesComplete(t *testing.T) {
	f := newFake()
	c, _ := served(t, f)
	got, err := c.Journal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want, _ := f.Journal(t.Context())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	f.fail = orchestrator.ErrClosed
	if _, err := c.Journal(t.Context()); !errors.Is(err, orchestrator.ErrClosed) {
		t.Errorf("Journal = %v", err)
	}
}

func TestWaitReadyWaits(t *testing.T) {
	f := newFake()
	c, _ := served(t, f)
	done := make(chan error, 1)
	go func() { done <- c.WaitReady(t.Context()) }()
	select {
	case err := <-done:
		t.Fatalf("returned before the cluster was ready: %v", err)
	case f.gate <- struct{}{}: // the call has reached the controller
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCancellingAClientCancelsItsCall(t *testing.T) {
	f := newFake()
	c, _ := served(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() { got <- c.WaitReady(ctx) }()
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("WaitReady = %v", err)
	}
}

// The texts of lines are bytes, not characters: they arrive as the node printed them.
func TestLogsArriveAsPrinted(t *testing.T) {
	f := newFake()
	at := time.Date(2026, 1, 31, 12, 0, 0, 123456789, time.UTC)
	f.lines = []orchestrator.Line{
		{Node: "n1", Stream: orchestrator.Stdout, Seq: 1, Run: 1, Time: at, Text: "größe <b> & \x1b[31mred"},
		{Node: "n1", Stream: orchestrator.Stderr, Seq: 1, Run: 2, Time: at, Text: "\xff\xfe\x00half a rune: \xe2\x82", Cut: true},
		{Node: "n2", Stream: orchestrator.StreamSystem, Seq: 7, Run: 1, Time: at},
	}
	c, _ := served(t, f)
	var got []orchestrator.Line
	err := c.Logs(t.Context(), orchestrator.LogQuery{
		Nodes: []string{"n1", "n2"}, Stream: orchestrator.Stderr, Tail: -1, Since: at,
	}, func(l orchestrator.Line) error { got = append(got, l); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.lines, got); diff != "" {
		t.Error(diff)
	}
	want := `logs [n1 n2] "stderr" tail=-1 since=2026-01-31T12:00:00.123456789Z follow=false`
	if asked := <-f.asked; asked != want {
		t.Errorf("the query is %s\nwant         %s", asked, want)
	}
}

func TestFollowedEventsArriveAtOnce(t *testing.T) {
	f := newFake()
	f.events = []orchestrator.Event{{Seq: 1, Text: "old"}, {Seq: 2, Text: "a"}, {Seq: 3, Text: "b", Exit: &orchestrator.Exit{Class: orchestrator.ExitOOM, Code: 137}}}
	c, _ := served(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	var got []orchestrator.Event
	err := c.Events(ctx, 1, true, func(e orchestrator.Event) error {
		if got = append(got, e); len(got) == 2 {
			cancel() // the server still follows: both events arrived before its end
		}
		return nil
	})
	if err != nil {
		t.Errorf("the end of ctx ends a stream without an error, got %v", err)
	}
	if diff := cmp.Diff(f.events[1:], got); diff != "" {
		t.Error(diff)
	}
	if err := <-f.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the follower's context ended with %v", err)
	}
}

func TestAStreamEndsWithItsReadersError(t *testing.T) {
	f := newFake()
	f.lines = []orchestrator.Line{{Text: "a"}, {Text: "b"}}
	c, _ := served(t, f)
	stop := errors.New("full")
	if err := c.Logs(t.Context(), orchestrator.LogQuery{}, func(orchestrator.Line) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Logs = %v", err)
	}
}

func TestABrokenStreamIsAnError(t *testing.T) {
	home(t)
	l, err := Listen(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `{"item":{"seq":1}}`) // without an end, as from a killed supervisor
	})}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	defer func() { srv.Close(); <-done }()
	c, err := Dial(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Events(t.Context(), 0, true, func(orchestrator.Event) error { return nil }); !errors.Is(err, orchestrator.ErrNoSupervisor) {
		t.Errorf("Events = %v", err)
	}
}

func TestServeEndsFollowersAndRemovesTheSocket(t *testing.T) {
	f := newFake()
	f.events = []orchestrator.Event{{Seq: 1}}
	c, stop := served(t, f)
	following := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- c.Events(t.Context(), 0, true, func(orchestrator.Event) error { close(following); return nil })
	}()
	<-following
	if err := stop(); err != nil {
		t.Errorf("Serve = %v", err)
	}
	<-ended
	if _, err := Dial(t.Context(), "demo"); !errors.Is(err, orchestrator.ErrNoSupervisor) {
		t.Errorf("Dial after the end = %v", err)
	}
	left, err := os.ReadDir(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "beamyard"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestGoneWaitsForTheEndOfTheSupervisor(t *testing.T) {
	c, stop := served(t, newFake())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Gone(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it serves: %v", err)
	}
	gone := make(chan error, 1)
	go func() { gone <- c.Gone(t.Context()) }()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := <-gone; err != nil {
		t.Errorf("after its end: %v", err)
	}
	if l, err := Listen(t.Context(), "demo"); err != nil {
		t.Errorf("the next one: %v", err)
	} else {
		l.Close()
	}
}

// The reply to /down is still being sent when the server is told to stop.
func TestRepliesInProgressAreFinished(t *testing.T) {
	f := newFake()
	c, stop := served(t, f)
	got := make(chan error, 1)
	go func() { got <- c.WaitReady(t.Context()) }()
	f.gate <- struct{}{} // the handler has waited, and its reply is not written yet
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := <-got; err != nil {
		t.Errorf("the reply was cut off: %v", err)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	c, _ := served(t, newFake())
	for _, path := range []string{"/events?after=-1", "/events?follow=perhaps", "/logs?tail=x", "/logs?since=yesterday"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://demo"+path, nil)
		resp, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var w wireError
		if err := json.NewDecoder(resp.Body).Decode(&w); err != nil || resp.StatusCode != http.StatusBadRequest || w.Text == "" {
			t.Errorf("%s: %s %+v %v", path, resp.Status, w, err)
		}
		resp.Body.Close()
	}
}

func TestEval(t *testing.T) {
	f := newFake()
	c, _ := served(t, f)
	var out strings.Builder
	value, err := c.Eval(t.Context(), "n1", "x", orchestrator.EvalOptions{Output: &out, File: "a.exs", Erlang: true})
	if err != nil || value != "\xfe:ok" || out.String() != "one\ntwo\xff\n" {
		t.Errorf("%q, %v, output %q", value, err, &out)
	}
	if asked := <-f.asked; asked != "eval n1 x a.exs true" {
		t.Error(asked)
	}
	if value, err := c.Eval(t.Context(), "n1", "x", orchestrator.EvalOptions{}); err != nil || value != "\xfe:ok" {
		t.Errorf("without a writer: %q, %v", value, err)
	}
	_, err = c.Eval(t.Context(), "n1", "raise", orchestrator.EvalOptions{})
	if diff := cmp.Diff(&orchestrator.EvalError{Node: "n1", Text: "** (RuntimeError) no", Trace: "rpc:1"}, err); diff != "" {
		t.Error(diff)
	}
	full := errors.New("the disk is full")
	if _, err := c.Eval(t.Context(), "n1", "x", orchestrator.EvalOptions{Output: failing{full}}); !errors.Is(err, full) {
		t.Errorf("a writer that fails: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for <-f.asked != "eval n1 wait  false" {
		}
		cancel()
	}()
	if _, err := c.Eval(ctx, "n1", "wait", orchestrator.EvalOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := <-f.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the cluster's call ended with %v", err)
	}
	f.fail = orchestrator.ErrNotRunning
	if _, err := c.Eval(t.Context(), "n1", "x", orchestrator.EvalOptions{}); !errors.Is(err, orchestrator.ErrNotRunning) {
		t.Errorf("refused: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
