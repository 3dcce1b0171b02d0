package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/config"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

func TestFail(t *testing.T) {
	cluster := func(kind error) error {
		return &orchestrator.ClusterError{Cluster: "demo", Kind: kind, Problems: []orchestrator.NodeProblem{
			{Node: "n2", State: orchestrator.Failed, Reason: "exit 1", Hint: hint.Of(hint.Logs.On("", "n2")), Output: []string{"boom"}},
		}}
	}
	for _, tc := range []struct {
		err  error
		code int
		text string
	}{
		{nil, 0, ""},
		{errors.New("disk full"), 1, "error: disk full\n"},
		{orchestrator.WithHint(errors.New("taken"), "try\nor this"), 1, "error: taken\nhint: try\nhint: or this\n"},
		{usagef("beamyard up --help", "unknown flag"), 2, "error: unknown flag\nhint: beamyard up --help\n"},
		{&orchestrator.SpecError{Problems: []orchestrator.Problem{{Field: "nodes", Text: "none", Hint: hint.Of(hint.Setting("nodes: 3"))}}}, 2,
			"error: invalid cluster specification\n  nodes: none\nhint: beamyard up -n 3\n"},
		{&config.Error{Path: "a.yml", Text: "a.yml: [1:1] no", Next: hint.Text("its keys: name")}, 2, "error: a.yml: [1:1] no\nhint: its keys: name\n"},
		{&images.SourceError{Arg: "./x", Why: "no such folder", Next: "mix new x"}, 2, "error: ./x: no such folder\nhint: mix new x\n"},
		{cluster(orchestrator.ErrNotReady), 3,
			"error: cluster demo: the cluster is not ready in time\n  n2 (failed): exit 1\n    | boom\nhint: beamyard logs n2\n"},
		{fmt.Errorf("up: %w", cluster(orchestrator.ErrNodeFailed)), 4,
			"error: up: cluster demo: a node failed\n  n2 (failed): exit 1\n    | boom\nhint: beamyard logs n2\n"},
		{fmt.Errorf("x: %w", orchestrator.ErrEngineUnreachable), 5, "error: x: the container engine does not answer\nwhy: engine-unreachable: the container engine does not answer\n" +
			"hint: start it: sudo systemctl start docker\nhint: see which engine is used: docker context ls\nhint: see what this machine lacks: beamyard doctor\n"},
		{orchestrator.ErrEnginePermission, 5, "error: no permission to use the container engine\nwhy: engine-permission: this user may not use the container engine's socket\n" +
			"hint: join its group, then log in again: sudo usermod -aG docker \"$USER\"\nhint: see what this machine lacks: beamyard doctor\n"},
		{orchestrator.ErrEngineTooOld, 5, "error: the container engine's API is too old\nwhy: engine-too-old: the container engine is older than Docker 20.10, and its API too old\n" +
			"hint: see both versions; DOCKER_API_VERSION must not be set: docker version\nhint: see what this machine lacks: beamyard doctor\n"},
		{errors.Join(orchestrator.WithHint(errors.New("n1: taken"), "stop it"), fmt.Errorf("and %w", orchestrator.WithHint(errors.New("n2: taken"), "stop it\nor wait"))), 1,
			"error: n1: taken\nand n2: taken\nhint: stop it\nhint: or wait\n"},
		{&orchestrator.SpecError{Problems: []orchestrator.Problem{{Field: "a", Text: "x", Hint: hint.Text("h")}, {Field: "b", Text: "y", Hint: hint.Text("h")}, {Field: "c", Text: "z"}}}, 2,
			"error: invalid cluster specification\n  a: x\n  b: y\n  c: z\nhint: h\n"},
		{errInterrupted, 130, ""},
		{partless{}, 1, "error: what a supervisor says\n"},
		{&exited{code: 7}, 7, ""},
		{errors.Join(&exited{code: 130}, errInterrupted), 130, ""},
		{errors.Join(&exited{code: 7}, errors.New("disk full")), 7, "error: the command ended with exit code 7\ndisk full\n"},
		{orchestrator.WithHint(&exited{code: 127, err: errors.New("no such command")}, "which x"), 127, "error: no such command\nhint: which x\n"},
	} {
		var b bytes.Buffer
		a := testApp(nil, newOutput(&b), time.Time{})
		if code := a.fail(t.Context(), tc.err); code != tc.code || b.String() != tc.text {
			t.Errorf("%v: exit %d, want %d; printed\n%swant\n%s", tc.err, code, tc.code, b.String(), tc.text)
		}
	}
}

func TestFailJSON(t *testing.T) {
	var b bytes.Buffer
	a := testApp(nil, newOutput(&b), time.Time{})
	a.json = true
	a.fail(t.Context(), &orchestrator.ClusterError{Cluster: "demo", Kind: orchestrator.ErrNodeFailed, Problems: []orchestrator.NodeProblem{
		{Node: "n2", State: orchestrator.Failed, Reason: "exit 1", Hint: hint.Newf("see %s", hint.Logs.On("demo", "n2"))},
	}})
	want := `{"error":"cluster demo: a node failed\n  n2 (failed): exit 1","exit_code":4,"hints":["see beamyard logs demo/n2"],` +
		`"problems":[{"node":"n2","state":"failed","reason":"exit 1","hint":"see beamyard logs demo/n2"}]}` + "\n"
	if b.String() != want {
		t.Errorf("%swant\n%s", b.String(), want)
	}
}

// partless is an error of no known kind, as package control returns it.
type partless struct{}

func (partless) Error() string   { return "what a supervisor says" }
func (partless) Unwrap() []error { return nil }

// After Ctrl-C, the message that a context was cancelled is not printed.
func TestFailAfterAnInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for err, text := range map[error]string{
		nil: "",
		fmt.Errorf("list containers: %w", context.Canceled):                                "",
		errors.Join(context.Canceled, errors.New("it may run on: no sh")):                  "error: it may run on: no sh\n",
		errors.Join(context.Canceled, fmt.Errorf("list containers: %w", context.Canceled)): "",
		fmt.Errorf("%w: %w", orchestrator.ErrEngineUnreachable, context.Canceled):          "",
	} {
		var b bytes.Buffer
		if code := testApp(nil, newOutput(&b), time.Time{}).fail(ctx, err); code != 130 || b.String() != text {
			t.Errorf("%v: exit %d, printed %q", err, code, b.String())
		}
	}
}

// A signal that arrives before the command of `exec` has begun is not lost.
func TestNoCommandAfterAnInterrupt(t *testing.T) {
	interrupted, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	for _, want := range []error{nil, context.Canceled} {
		ctx, _, stop := passSignals(interrupted, nil)
		if err := ctx.Err(); err != want { //nolint:errorlint // as it is
			t.Errorf("before the interrupt: %v, want %v", err, want)
		}
		interrupt()
		if err := ctx.Err(); err != want { //nolint:errorlint // as it is
			t.Errorf("after the interrupt: %v, want %v", err, want)
		}
		stop()
	}
}
