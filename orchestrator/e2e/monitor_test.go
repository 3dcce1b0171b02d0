package e2e_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
)

// dialNode opens another connection to a node, as a tool would.
func (r *running) dialNode(name string) *erldist.Conn {
	r.t.Helper()
	conn, err := r.Dial(r.t.Context(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// receiving counts a node's processes that wait in an interpreted receive.
const receiving = `length([P || P <- processes(), {current_function, {prim_eval, 'receive', 2}} <- [process_info(P, current_function)]]).`

// On real nodes: the values of Erlang expressions, and nodedown and nodeup at the moment
// when a node sees them. Nothing is left on the node.
func evalAndMonitorNodes(t *testing.T, r *running) {
	observer := r.dialNode("n2")
	eval := func(expressions string, bindings map[string]any) any {
		t.Helper()
		value, err := observer.Eval(t.Context(), expressions, bindings)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	if got := eval("X = lists:sum(L), {X, N}.", map[string]any{"N": erldist.Atom("ok"), "L": []any{1, 2, 39}}); !erldist.Equal(got, erldist.Tuple{42, erldist.Atom("ok")}) {
		t.Errorf("evaluated to %s", erldist.Format(got))
	}
	for bad, want := range map[string]string{
		"foo(": "line 1: syntax error before", "a,\n\"b.": "unterminated string", "1 = 2.": "badmatch", "x:y().": "undef",
	} {
		_, err := observer.Eval(t.Context(), bad, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", bad, err, want)
		}
	}
	// The supervisor starts its own monitor there soon after all nodes are Ready.
	eventually(t, "the supervisor monitors", func() bool { return eval(receiving, nil) == any(int64(1)) })
	const before = int64(1)

	conn := r.dialNode("n2")
	events := make(chan erldist.NodeEvent, 100)
	ended := make(chan error, 1)
	go func() { ended <- conn.MonitorNodes(context.Background(), func(e erldist.NodeEvent) { events <- e }) }()
	next := func() erldist.NodeEvent {
		t.Helper()
		select {
		case e := <-events:
			if d := time.Since(e.Time).Abs(); d > 5*time.Second {
				t.Errorf("%+v is of %s", e, e.Time)
			}
			return e
		case <-time.After(30 * time.Second):
			t.Fatal("no event")
			return erldist.NodeEvent{}
		}
	}
	n1, n3 := r.node("n1").Node, r.node("n3").Node
	for range 2 {
		if e := next(); !e.Initial || !e.Up || e.Hidden || e.Node != n1 && e.Node != n3 {
			t.Errorf("initial %+v", e)
		}
	}
	killed := time.Now()
	if err := r.Kill(t.Context(), "KILL", "n3"); err != nil {
		t.Fatal(err)
	}
	if e := next(); e.Up || e.Node != n3 || e.Reason != "connection_closed" {
		t.Errorf("after the kill %+v", e)
	}
	t.Logf("nodedown %s after the kill was requested", time.Since(killed))
	if e := next(); !e.Up || e.Initial || e.Node != n3 {
		t.Errorf("after its restart %+v", e)
	}
	if got := eval(receiving, nil); got != any(before+1) {
		t.Errorf("%v processes receive while one monitors, before it %d", got, before)
	}
	_ = conn.Close()
	if err := <-ended; !errors.Is(err, erldist.ErrClosed) {
		t.Errorf("ended with %v", err)
	}
	eventually(t, "the monitoring process on the node is gone", func() bool { return eval(receiving, nil) == any(before) })

	// A watcher of hidden nodes does not see our evaluations: they use the supervisor's
	// connection, even for a reply that is too big for it.
	if got := eval(`lists:member('`+orchestrator.SupervisorNode+`', nodes(hidden)).`, nil); got != any(erldist.Atom("true")) {
		t.Errorf("n2 does not see %s: %s", orchestrator.SupervisorNode, erldist.Format(eval("nodes(hidden).", nil)))
	}
	// The supervisor reads its own monitor of the nodes as well: only hidden nodes count.
	const watch = `Me = self(), spawn(fun() -> register(watcher, self()), net_kernel:monitor_nodes(true, [{node_type, hidden}]), Me ! ready,
		(fun Loop(Seen) -> receive {ask, Who} -> Who ! {seen, Seen}, Loop(Seen); News -> Loop([News | Seen]) end end)([]) end), receive ready -> ok end.`
	eval(watch, nil)
	for _, o := range []orchestrator.EvalOptions{{}, {Erlang: true}} {
		expression, want := "1 + 1", "2"
		if value, err := r.Eval(t.Context(), "n2", expression, o); err != nil || value != want {
			t.Errorf("%s is %q, %v", expression, value, err)
		}
	}
	if _, err := r.Eval(t.Context(), "n2", `IO.puts(String.duplicate("x", 70_000_000))`, orchestrator.EvalOptions{}); !errors.Is(err, erldist.ErrTooBig) {
		t.Errorf("output of 70 MB at once: %v", err)
	}
	if got := eval("watcher ! {ask, self()}, receive {seen, Seen} -> Seen end.", nil); !erldist.Equal(got, erldist.List{}) {
		t.Errorf("a watcher of hidden nodes saw %s", erldist.Format(got))
	}
}
