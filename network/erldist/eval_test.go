package erldist

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// interpreter scans and parses like a node, as far as the caller can tell. exprs stands
// in for erl_eval:exprs/2.
func interpreter(calls *[]Atom, exprs func(p *peer, r request) any) *peer {
	return &peer{rex: func(p *peer, r request) any {
		*calls = append(*calls, r.function)
		switch r.function {
		case "string":
			if text, _ := Text(r.args[0]); strings.Contains(text, "$$") {
				return Tuple{Atom("error"), Tuple{int64(1), Atom("erl_scan"), Atom("char")}, int64(1)}
			}
			return Tuple{Atom("ok"), List{Tuple{Atom("tokens"), r.args[0]}}, int64(1)}
		case "parse_exprs":
			if text, _ := Text(r.args[0].(List)[0].(Tuple)[1]); strings.Contains(text, "1 2") {
				return Tuple{Atom("error"), Tuple{int64(3), Atom("erl_parse"), "bad"}}
			}
			return Tuple{Atom("ok"), List{Tuple{Atom("forms"), r.args[0]}}}
		case "format_error":
			return codePoints("in the node's words")
		}
		return exprs(p, r)
	}}
}

func TestEvalParsesOnceAndPassesBindingsSorted(t *testing.T) {
	var calls []Atom
	var bindings any
	c := interpreter(&calls, func(_ *peer, r request) any {
		bindings = r.args[1]
		return Tuple{Atom("value"), int64(42), List{}}
	}).dial(t)
	for range 2 {
		got, err := c.Eval(t.Context(), "A + B.", map[string]any{"B": 2, "A": 1})
		if err != nil || got != any(int64(42)) {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	if got, err := c.EvalOutput(t.Context(), io.Discard, "A + B.", map[string]any{"B": 2, "A": 1}); err != nil || got != any(int64(42)) {
		t.Fatalf("with output: %v, %v", got, err)
	}
	if diff := cmp.Diff([]Atom{"string", "parse_exprs", "exprs", "exprs", "exprs"}, calls); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(any(List{Tuple{Atom("A"), int64(1)}, Tuple{Atom("B"), int64(2)}}), bindings); diff != "" {
		t.Error(diff)
	}
}

func TestEvalFailures(t *testing.T) {
	var calls []Atom
	c := interpreter(&calls, func(*peer, request) any {
		return Tuple{Atom("badrpc"), Tuple{Atom("EXIT"), Tuple{Atom("badarith"), List{}}}}
	}).dial(t)
	for expressions, want := range map[string]string{
		"$$": "line 1: in the node's words", "\n\n1 2.": "line 3: in the node's words", "1/0.": ":badarith",
	} {
		if _, err := c.Eval(t.Context(), expressions, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", expressions, err, want)
		}
	}
}

func TestMonitorNodes(t *testing.T) {
	var calls []Atom
	var to Pid
	node := func(p *peer, what Atom, name string, info ...any) {
		p.send(Tuple{ctlSend, Atom(""), to}, Tuple{Atom("beamyard_node"), int64(1_000_000_007), what, Atom(name), List(info)})
	}
	visible, hidden := Tuple{Atom("node_type"), Atom("visible")}, Tuple{Atom("node_type"), Atom("hidden")}
	demonitored := make(chan any, 1)
	p := interpreter(&calls, func(p *peer, r request) any {
		to = r.args[1].(List)[0].(Tuple)[1].(Pid)
		p.send(Tuple{ctlMonitor, Pid{Node: testNode, ID: 99, Creation: 7}, to, Ref{Node: testNode, Len: 3}})
		node(p, "initial", "app@n2.demo.test", visible)
		node(p, "initial", "OTHER@beamyard.invalid", hidden) // a tool like this one
		p.send(Tuple{ctlSend, Atom(""), to}, Tuple{Atom("beamyard_watches")})
		node(p, "up", "app@n2.demo.test", visible) // reported and listed
		node(p, "up", "spy@n9.demo.test", hidden)
		node(p, "down", "app@n2.demo.test", visible, Tuple{Atom("nodedown_reason"), Atom("net_tick_timeout")})
		node(p, "down", "app@n3.demo.test", Tuple{Atom("nodedown_reason"), Tuple{Atom("x"), int64(1)}})
		return noReply{}
	})
	p.on = func(_ *peer, ctl Tuple, _ any) {
		if ctl[0] == any(int64(ctlMonitorExit)) {
			demonitored <- ctl[4]
		}
	}
	c := p.dial(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	at := time.Unix(1, 7)
	want := []NodeEvent{
		{Time: at, Node: "app@n2.demo.test", Up: true, Initial: true},
		{Time: at, Node: "spy@n9.demo.test", Up: true, Hidden: true},
		{Time: at, Node: "app@n2.demo.test", Reason: "net_tick_timeout"},
		{Time: at, Node: "app@n3.demo.test", Reason: "{:x, 1}"},
	}
	var got []NodeEvent
	listed := -1 // when the monitor was set
	err := c.WatchNodes(ctx, func() { listed = len(got) }, func(e NodeEvent) {
		if got = append(got, e); len(got) == len(want) {
			cancel()
		}
	})
	if listed != 1 {
		t.Errorf("the monitor was set after %d events, want 1", listed)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	select {
	case reason := <-demonitored: // so the process on the node ends
		if reason != any(Atom("normal")) {
			t.Errorf("DOWN with %v", reason)
		}
	case <-time.After(10 * time.Second):
		t.Error("the node's process is not told that the watcher has ended")
	}
}

// A regression test: a peer that sent its first message twice ended this program.
func TestAPeerThatRepeatsItsFirstMessage(t *testing.T) {
	var calls []Atom
	p := interpreter(&calls, func(p *peer, r request) any {
		to := r.args[1].(List)[0].(Tuple)[1].(Pid)
		for range 3 {
			p.send(Tuple{ctlSend, Atom(""), to}, Tuple{Atom("beamyard_watches")})
		}
		p.send(Tuple{ctlSend, Atom(""), to}, Tuple{Atom("beamyard_node"), int64(1), Atom("up"), Atom("app@n2.demo.test"), List{}})
		return noReply{}
	})
	s, err := p.dial(t).Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Until(t.Context(), func(seen Seen) bool { return seen.Ups["app@n2.demo.test"] == 1 }); err != nil {
		t.Error(err)
	}
}

func TestMonitorNodesRefused(t *testing.T) {
	var calls []Atom
	c := interpreter(&calls, func(*peer, request) any {
		return Tuple{Atom("badrpc"), Tuple{Atom("EXIT"), Tuple{Atom("undef"), List{}}}}
	}).dial(t)
	var rpc *RPCError
	if err := c.MonitorNodes(t.Context(), func(NodeEvent) {}); !errors.As(err, &rpc) {
		t.Errorf("got %v, want a *RPCError", err)
	}
}
