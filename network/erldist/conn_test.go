package erldist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// echo returns its arguments.
func echo(_ *peer, r request) any { return Tuple{r.function, r.args} }

func TestCall(t *testing.T) {
	var leader any
	c := (&peer{rex: func(p *peer, r request) any { leader = r.leader; return echo(p, r) }}).dial(t)
	got, err := c.Call(t.Context(), "Elixir.Foo", "bar", 1, "two", Atom("three"), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Tuple{Atom("bar"), List{int64(1), []byte("two"), Atom("three"), Atom("nil")}}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Error(diff)
	}
	if leader != any(Atom("user")) {
		t.Errorf("group leader of a plain call is %v", leader)
	}
}

func TestCallLargerThanTheReadBuffer(t *testing.T) {
	c := (&peer{rex: echo}).dial(t)
	big := strings.Repeat("x", 3*readBuffer)
	got, err := c.Call(t.Context(), "m", "f", big)
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := Text(got.(Tuple)[1]); s != big {
		t.Errorf("%d bytes came back of %d", len(s), len(big))
	}
	if _, err := c.Call(t.Context(), "m", "f", 1); err != nil {
		t.Errorf("the call after it: %v", err)
	}
}

func TestConcurrentCallsGetTheirOwnAnswers(t *testing.T) {
	c := (&peer{rex: echo}).dial(t)
	var wg sync.WaitGroup
	for g := range 50 {
		wg.Go(func() {
			for i := range 40 {
				got, err := c.Call(t.Context(), "m", "f", g, i)
				if want := any(Tuple{Atom("f"), List{int64(g), int64(i)}}); err != nil || !cmp.Equal(got, want) {
					t.Errorf("got %v, %v; want %v", got, err, want)
				}
			}
		})
	}
	wg.Wait()
	if len(c.replies.pending) != 0 {
		t.Errorf("%d calls are still waiting", len(c.replies.pending))
	}
}

func TestCallFailures(t *testing.T) {
	stack := List{
		Tuple{Atom("Elixir.Foo"), Atom("bar"), List{testCookie, int64(2)}, List{}},
		Tuple{Atom("lists"), Atom("map"), int64(2), List{}},
	}
	exit := func(reason any) Tuple { return Tuple{Atom("EXIT"), reason} }
	boom := Map{{Atom("__struct__"), Atom("Elixir.RuntimeError")}, {Atom("__exception__"), true}, {Atom("message"), "boom " + testCookie}}
	tests := []struct {
		name   string
		reason any
		text   string
		hint   string
	}{
		{"undefined", exit(Tuple{Atom("undef"), stack}), ":undef in Foo.bar/2, called from :lists.map/2", "no such function"},
		{"Elixir exception", exit(Tuple{boom, stack}), "** (RuntimeError) boom [redacted] in Foo.bar/2, called from :lists.map/2", ""},
		{"exit", exit(Atom("killed")), ":killed", ""},
		{"no such process", exit(Tuple{Atom("noproc"), Tuple{Atom("gen_server"), Atom("call"), List{Atom("x"), int64(1)}}}), "{:noproc, {:gen_server, :call, [:x, 1]}}", "not running"},
		{"cookie as atom", exit(Atom(testCookie)), `:"[redacted]"`, ""},
		{"cookie as charlist", exit(Tuple{Atom("badmatch"), List{'k', 'x', '7', 'Q', []any{'s', '3'}, "cret"}}), `{:badmatch, "[redacted]"}`, ""},
		{"cookie in a map", exit(Map{{testCookie, List{Tuple{Atom("a"), ImproperList{[]any{testCookie}, 1}}}}}), `%{"[redacted]" => [a: ["[redacted]" | 1]]}`, ""},
		{"Elixir syntax error", exit(Tuple{Map{{Atom("__struct__"), Atom("Elixir.SyntaxError")}, {Atom("description"), "unexpected"}}, stack}), "** (SyntaxError) unexpected in Foo.bar/2, called from :lists.map/2", ""},
		{"bare", Atom("nodedown"), ":nodedown", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := (&peer{rex: func(*peer, request) any { return Tuple{Atom("badrpc"), tt.reason} }}).dial(t)
			_, err := c.Call(t.Context(), "Elixir.Foo", "bar", 1, testCookie)
			var rpc *RPCError
			if !errors.As(err, &rpc) {
				t.Fatalf("got %v, want a *RPCError", err)
			}
			if want := "call Foo.bar/2 on " + testNode + ": " + tt.text; err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
			if !strings.Contains(rpc.Hint(), tt.hint) || tt.hint == "" && rpc.Hint() != "" {
				t.Errorf("hint %q", rpc.Hint())
			}
			if s := Format(rpc.Reason); strings.Contains(s, testCookie) {
				t.Errorf("the cookie is in the reason: %s", s)
			}
		})
	}
}

func TestCallCancelledAndLateReplyDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late request
		c := (&peer{rex: func(p *peer, r request) any {
			switch r.function {
			case "slow":
				late = r
				return noReply{}
			case "release":
				p.reply(late, "too late")
				p.reply(late, "and twice")
			}
			return Atom("ok")
		}}).dial(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Call(ctx, "m", "slow"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want DeadlineExceeded", err)
		}
		if got, err := c.Call(t.Context(), "m", "release"); err != nil || got != any(Atom("ok")) {
			t.Errorf("the call after it got %v, %v", got, err)
		}
		if _, err := c.Call(ctx, "m", "f"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a cancelled context: %v", err)
		}
	})
}

func TestCookieIsNeverPrinted(t *testing.T) {
	p := &peer{}
	d := p.dialer(t)
	c, err := d.Dial(t.Context(), testNode, "pipe")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, s := range []string{fmt.Sprint(d, *d), fmt.Sprintf("%+v %#v %+v", d, *d, c)} {
		if strings.Contains(s, testCookie) {
			t.Errorf("the cookie is in %s", s)
		}
	}
}

func TestUnsendableArgument(t *testing.T) {
	c := (&peer{}).dial(t)
	if _, err := c.Call(t.Context(), "m", "f", testCookie, struct{}{}); err == nil || strings.Contains(err.Error(), testCookie) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Call(t.Context(), "m", "f"); err != nil {
		t.Errorf("the call after it: %v", err)
	}
}

// A term that is too big fails only the call that waits for it.
func TestTooBig(t *testing.T) {
	big := strings.Repeat("x", 2<<20)
	p := &peer{rex: func(p *peer, r request) any {
		switch r.function {
		case "big":
			return big
		case "deep": // its size is allowed, its depth is not
			var deep any = List{}
			for range 100 {
				deep = Tuple{deep}
			}
			return deep
		case "print":
			p.send(Tuple{ctlSend, Atom(""), r.leader}, Tuple{Atom("io_request"), r.from, r.ref, Tuple{Atom("put_chars"), Atom("unicode"), big}})
			return noReply{}
		case "noise": // a binary instead of a reply, and one without a receiver
			p.send(Tuple{ctlSend, Atom(""), r.from}, big)
			p.send(Tuple{ctlSend, Atom(""), Pid{Node: testNode, ID: 99}}, big)
		}
		return Atom("ok")
	}}
	d := p.dialer(t)
	d.Limits = Limits{Bytes: 1 << 20, Depth: 50}
	c, err := d.Dial(t.Context(), testNode, "pipe")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, f := range []string{"big", "deep"} {
		if _, err := c.Call(t.Context(), "m", f); !errors.Is(err, ErrTooBig) {
			t.Errorf("%s: %v", f, err)
		}
		if _, err := c.CallOutput(t.Context(), io.Discard, "m", f); !errors.Is(err, ErrTooBig) {
			t.Errorf("%s with output: %v", f, err)
		}
	}
	if _, err := c.CallOutput(t.Context(), io.Discard, "m", "print"); !errors.Is(err, ErrTooBig) {
		t.Errorf("its output: %v", err)
	}
	if got, err := c.Call(t.Context(), "m", "noise"); err != nil || got != any(Atom("ok")) {
		t.Errorf("the call after them: %v, %v", got, err)
	}
}

func TestEnds(t *testing.T) {
	never := func(*peer, request) any { return noReply{} }
	tests := []struct {
		name string
		peer *peer
		do   func(*Conn)
		text string
		want []error
	}{
		{"closed by us", &peer{rex: never}, func(c *Conn) { go c.Close() }, "closed", []error{ErrClosed}},
		{"node hangs up", &peer{rex: func(p *peer, _ request) any { p.nc.Close(); return noReply{} }}, nil, testNode + " hung up", []error{ErrClosed}},
		{"no pass-through", &peer{rex: func(p *peer, _ request) any { p.nc.Write([]byte{0, 0, 0, 1, 131}); return noReply{} }}, nil, "type 131", []error{ErrClosed, ErrProtocol}},
		{"no tuple", &peer{rex: func(p *peer, _ request) any { p.nc.Write([]byte{0, 0, 0, 3, 112, 131, 106}); return noReply{} }}, nil, "no control message", []error{ErrClosed, ErrProtocol}},
		{"malformed term", &peer{rex: func(p *peer, _ request) any { p.nc.Write([]byte{0, 0, 0, 3, 112, 131, 1}); return noReply{} }}, nil, "unknown tag 1", []error{ErrClosed, ErrMalformed}},
		{"silence", &peer{rex: never}, nil, "is silent for 1m0s", []error{ErrClosed, ErrTimeout}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := tt.peer.dial(t)
				if c.Err() != nil {
					t.Fatalf("alive, but Err is %v", c.Err())
				}
				if tt.do != nil {
					time.AfterFunc(time.Second, func() { tt.do(c) })
				}
				start := time.Now()
				_, err := c.Call(t.Context(), "m", "f")
				<-c.Done()
				for _, e := range []error{err, c.Err()} {
					if !strings.Contains(fmt.Sprint(e), tt.text) {
						t.Errorf("got %v, want text %q", e, tt.text)
					}
					for _, want := range tt.want {
						if !errors.Is(e, want) {
							t.Errorf("got %v, want %v", e, want)
						}
					}
				}
				if took := time.Since(start); tt.name == "silence" && took != time.Minute {
					t.Errorf("gave up after %v", took)
				}
				if _, err := c.Call(t.Context(), "m", "f"); !errors.Is(err, ErrClosed) {
					t.Errorf("a later call: %v", err)
				}
			})
		})
	}
}

func TestTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{}
		c := p.dial(t)
		time.Sleep(time.Minute - time.Second)
		synctest.Wait()
		if n := p.ticks.Load(); n != 3 {
			t.Errorf("%d ticks in 59 idle seconds, want 3", n)
		}
		p.nc.Write([]byte{0, 0, 0, 0})
		synctest.Wait()
		if n := p.ticks.Load(); n != 4 {
			t.Errorf("a tick of the node was not answered at once: %d", n)
		}
		time.Sleep(time.Minute - time.Second) // the connection is alive only because of that tick
		if c.Err() != nil {
			t.Errorf("after 118 s, with a tick between: %v", c.Err())
		}
		time.Sleep(2 * time.Second)
		if !errors.Is(c.Err(), ErrTimeout) {
			t.Errorf("after a minute of silence: %v", c.Err())
		}
	})
}

// The answer of a function that then stops its node must not be lost.
func TestAnswerBeforeTheEndIsKept(t *testing.T) {
	c := (&peer{}).dial(t)
	c.Close()
	for range 100 { // select is fair: both cases are ready
		answer := make(chan any, 1)
		answer <- Atom("ok")
		if got, err := c.await(t.Context(), answer); err != nil || got != any(Atom("ok")) {
			t.Fatalf("got %v, %v", got, err)
		}
	}
}

func TestInboxIsReadToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := (&peer{}).dial(t)
		box := newInbox()
		got := make(chan error)
		go func() {
			for range 2 {
				_, err := c.next(t.Context(), box)
				got <- err
			}
		}()
		synctest.Wait()
		box.mu.Lock()
		box.queue = append(box.queue, 1) // the message was delivered, and of the two wake-ups the end is seen first
		box.mu.Unlock()
		c.Close()
		if err := <-got; err != nil {
			t.Errorf("a message before the end: %v", err)
		}
		if err := <-got; !errors.Is(err, ErrClosed) {
			t.Errorf("after it: %v, want ErrClosed", err)
		}
	})
}

func TestSecondAnswerDoesNotBlock(t *testing.T) {
	r := replies{pending: make(map[Ref]chan<- any)}
	ref := Ref{Node: testName, Len: 1}
	answer := r.expect(ref)
	for range 2 { // on the reader's goroutine
		r.deliver(Tuple{ref, Atom("ok")})
	}
	if got := <-answer; got != any(Atom("ok")) {
		t.Errorf("got %v", got)
	}
}

func TestSignalsOfOtherProcesses(t *testing.T) {
	ref := Ref{Node: testNode, Creation: 7, Len: 1, Words: [5]uint32{9}}
	pid := Pid{Node: testNode, ID: 100, Creation: 7}
	gone := Pid{Node: testName, ID: 999, Creation: 0x102}
	var answers []Tuple
	c := (&peer{
		on: func(_ *peer, ctl Tuple, _ any) { answers = append(answers, ctl) },
		rex: func(p *peer, r request) any {
			if r.function == "again" {
				return Atom("ok")
			}
			for _, ctl := range []Tuple{
				{1, pid, r.from},                                 // LINK
				{35, 1, pid, r.from},                             // UNLINK_ID
				{3, pid, r.from, Atom("x")},                      // EXIT
				{29, ref, pid, pid, Tuple{}, List{}},             // SPAWN_REQUEST
				{ctlMonitorExit, pid, r.from, ref, "why"},        // a reply that was never requested
				{ctlMonitorExit},                                 // too short
				{ctlDemonitor, pid, gone, ref},                   // a monitor of nothing
				{ctlMonitor, pid, List{}, ref},                   // not an address
				{ctlMonitor, Pid{Node: "b@c", ID: 1}, gone, ref}, // a process of a third node
				{ctlMonitor, pid, gone, ref},                     // dead process
				{ctlMonitor, pid, Atom("net_kernel"), ref},       // unregistered name
				{ctlMonitor, pid, r.from, ref},                   // the process is alive
				{ctlDemonitor, pid, r.from, ref},                 //
				{Atom("what")},                                   //
			} {
				p.send(ctl)
			}
			p.send(Tuple{ctlSend, Atom(""), gone}, "nobody")
			p.send(Tuple{ctlSend, Atom(""), List{}}, "nobody")
			p.send(Tuple{ctlRegSend, pid, Atom(""), Atom("net_kernel")}, "nobody")
			p.send(Tuple{ctlSend, Atom(""), r.from}, Tuple{"no", "ref"})
			p.send(Tuple{ctlSend, Atom(""), r.from}, "no tuple")
			return Atom("ok")
		},
	}).dial(t)
	for _, f := range []string{"first", "again"} { // the second answer proves that the answers to the first were read
		if _, err := c.Call(t.Context(), "m", f); err != nil {
			t.Fatal(err)
		}
	}
	noproc := func(from any) Tuple { return Tuple{int64(ctlMonitorExit), from, pid, ref, Atom("noproc")} }
	want := []Tuple{noproc(gone), noproc(Atom("net_kernel"))}
	if diff := cmp.Diff(want, answers); diff != "" {
		t.Error(diff)
	}
}

// A message to a registered name reaches the mailbox of that name.
func TestMailboxByName(t *testing.T) {
	pid := Pid{Node: testNode, ID: 1, Creation: 7}
	c := (&peer{rex: func(p *peer, r request) any {
		p.send(Tuple{ctlRegSend, pid, Atom(""), Atom("watch")}, "hello")
		return Atom("ok")
	}}).dial(t)
	box := newInbox()
	c.boxes.open(Atom("watch"), box)
	if _, err := c.Call(t.Context(), "m", "f"); err != nil {
		t.Fatal(err)
	}
	got, err := c.next(t.Context(), box)
	if s, _ := Text(got); err != nil || s != "hello" {
		t.Errorf("got %v, %v", got, err)
	}
}
