package wait

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/beamyard/beamyard/network/erldist"
)

// target returns the next answer to each call, and repeats the last one.
type target struct {
	wait.NopStrategyTarget
	asked   []string
	answers []any
}

func (t *target) Call(_ context.Context, module, function string, _ ...any) (any, error) {
	t.asked = append(t.asked, module+":"+function)
	answer := t.answers[0]
	if len(t.answers) > 1 {
		t.answers = t.answers[1:]
	}
	if err, ok := answer.(error); ok {
		return nil, err
	}
	return answer, nil
}

func atom(s string) erldist.Atom { return erldist.Atom(s) }

func nodes(names ...string) erldist.List {
	list := erldist.List{}
	for _, n := range names {
		list = append(list, atom(n))
	}
	return list
}

func applications(names ...string) erldist.List {
	list := erldist.List{}
	for _, n := range names {
		list = append(list, erldist.Tuple{atom(n), nodes(), nodes()})
	}
	return list
}

func TestStrategies(t *testing.T) {
	positive := func(result any) bool { n, _ := result.(int64); return n > 0 }
	value := MFA{Module: "Demo.Counter", Function: "value"}
	for name, c := range map[string]struct {
		strategy *Strategy
		answers  []any
		asked    int
		err      string // "" if the condition is met
	}{
		"a mesh at once":        {ForMesh(3), []any{nodes("b", "c")}, 1, ""},
		"a larger mesh":         {ForMesh(2), []any{nodes("b", "c")}, 1, ""},
		"a mesh that forms":     {ForMesh(3), []any{nodes(), nodes("b"), nodes("b", "c")}, 3, ""},
		"a node that boots":     {ForMesh(1), []any{errors.New("refused"), nodes()}, 2, ""},
		"no mesh":               {ForMesh(3), []any{nodes("b")}, 20, "wait for mesh of 3 nodes: context deadline exceeded after 990ms: it sees 1 others: [:b]"},
		"an application":        {ForApplication("demo"), []any{applications("kernel"), applications("demo", "kernel")}, 2, ""},
		"no application":        {ForApplication("demo"), []any{applications("kernel")}, 20, "wait for application demo: context deadline exceeded after 990ms: demo is not among its 1 started applications"},
		"a value":               {ForRPC(value, positive), []any{int64(0), int64(1)}, 2, ""},
		"another value":         {ForRPC(value, positive), []any{int64(0)}, 20, "wait for RPC Demo.Counter.value/0: context deadline exceeded after 990ms: it gave 0"},
		"any value":             {ForRPC(value, nil), []any{atom("nil"), atom("error"), erldist.Tuple{atom("error"), atom("x")}, erldist.Tuple{atom("ok")}}, 4, ""},
		"a list is a value":     {ForRPC(value, nil), []any{nodes()}, 1, ""},
		"an empty tuple, too":   {ForRPC(value, nil), []any{erldist.Tuple{}}, 1, ""},
		"a call that must fail": {ForRPC(value, nil), []any{errors.New("undef")}, 20, "after 990ms: undef"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node := &target{answers: c.answers}
				node.ContainerState = container.State{Running: true}
				err := c.strategy.WithStartupTimeout(990*time.Millisecond).WaitUntilReady(t.Context(), node)
				if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
					t.Errorf("%v", err)
				}
				if len(node.asked) != c.asked {
					t.Errorf("%d calls: %v", len(node.asked), node.asked)
				}
			})
		})
	}
}

func TestAnExitedContainerEndsTheWait(t *testing.T) {
	for want, state := range map[string]container.State{
		"its container has ended: exited, exit code 137 (refused)":         {Status: container.StateExited, ExitCode: 137},
		"its container was killed over its memory limit (refused)":         {Status: container.StateExited, OOMKilled: true},
		"wait for mesh of 3 nodes: its container has ended: created, exit": {Status: container.StateCreated},
	} {
		node := &target{answers: []any{errors.New("refused")}}
		node.ContainerState = state
		if err := ForMesh(3).WaitUntilReady(t.Context(), node); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, and not %s", err, want)
		}
	}
}

func TestOnlyNodesAreQueried(t *testing.T) {
	err := ForApplication("demo").WaitUntilReady(t.Context(), wait.NopStrategyTarget{})
	if err == nil || !strings.Contains(err.Error(), "is not a node of a cluster") {
		t.Error(err)
	}
}

func TestStrategiesCombineWithTestcontainers(t *testing.T) {
	node := &target{answers: []any{nodes("b", "c")}}
	node.ContainerState = container.State{Running: true}
	all := wait.ForAll(ForMesh(3), ForMesh(2)).WithDeadline(time.Second)
	if err := all.WaitUntilReady(t.Context(), node); err != nil {
		t.Error(err)
	}
	if text := all.String(); text != "all of: [mesh of 3 nodes, mesh of 2 nodes]" {
		t.Error(text)
	}
}
