package erldist

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

var (
	caller  = Pid{Node: testNode, ID: 100, Creation: 7}
	monitor = Ref{Node: testNode, Creation: 7, Len: 1, Words: [5]uint32{9}}
	tag     = ImproperList{[]any{Atom("alias")}, monitor}
)

// serving is a connection with a server, and the messages that the node gets from it.
type serving struct {
	*peer
	conn *Conn
	got  chan Tuple // control messages, each with its message as the last element
	end  context.CancelFunc
	done chan error
}

// serve runs a server with the name "beamyard", until the test ends.
func serve(t *testing.T, limits Limits, handle Handler) *serving {
	t.Helper()
	s := &serving{got: make(chan Tuple, 2*maxQueued), done: make(chan error, 1)}
	s.peer = &peer{on: func(_ *peer, ctl Tuple, m any) {
		if m != nil {
			ctl = append(ctl, m)
		}
		s.got <- ctl
	}}
	d := s.dialer(t)
	d.Limits = limits
	var err error
	if s.conn, err = d.Dial(t.Context(), testNode, "pipe"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.conn.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	s.end = cancel
	go func() { s.done <- s.conn.Serve(ctx, "beamyard", handle) }()
	synctest.Wait()
	return s
}

// call sends a request as GenServer.call does on OTP 24 and newer.
func (s *serving) call(request any) {
	s.send(Tuple{ctlMonitor, caller, Atom("beamyard"), monitor})
	s.send(Tuple{ctlRegSend, caller, Atom(""), Atom("beamyard")}, Tuple{Atom("$gen_call"), Tuple{caller, tag}, request})
}

// told returns what the node has got since, once nothing more happens.
func (s *serving) told() []Tuple {
	synctest.Wait()
	var all []Tuple
	for {
		select {
		case m := <-s.got:
			all = append(all, m)
		default:
			return all
		}
	}
}

func (s *serving) expect(t *testing.T, want ...Tuple) {
	t.Helper()
	if diff := cmp.Diff(want, s.told()); diff != "" {
		t.Error(diff)
	}
}

// exit is what ends a call without a reply.
func exit(reason Atom) Tuple {
	return Tuple{int64(ctlMonitorExit), Atom("beamyard"), caller, monitor, reason}
}

// in runs a test in a bubble.
func in(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func TestServe(t *testing.T) {
	in(t, func(t *testing.T) {
		s := serve(t, Limits{}, func(_ context.Context, request any) any { return Tuple{Atom("ok"), request} })
		reply := Tuple{Atom("ok"), []byte("hello")}
		ref := Ref{Node: testNode, Creation: 7, Len: 1, Words: [5]uint32{10}}
		old := Ref{Node: "another@node", Len: 1}
		plain := func(tag any) Tuple {
			s.send(Tuple{ctlRegSend, caller, Atom(""), Atom("beamyard")}, Tuple{Atom("$gen_call"), Tuple{caller, tag}, "hello"})
			return Tuple{int64(ctlSend), Atom(""), caller, Tuple{tag, reply}}
		}
		s.call("hello")
		s.expect(t, Tuple{int64(ctlAliasSend), s.conn.self, monitor, Tuple{tag, reply}})
		s.expect(t, plain(ref))                                                // without an alias, as before OTP 24
		s.expect(t, plain(ImproperList{[]any{Atom("alias")}, old}))            // an alias of another node
		s.expect(t, plain(ImproperList{[]any{Atom("alias"), Atom("x")}, ref})) // no alias
		nested := ImproperList{[]any{tag}, Atom("more")}
		s.send(Tuple{ctlRegSend, caller, Atom(""), Atom("beamyard")}, Tuple{Atom("$gen_call"), Tuple{caller, nested}, "hello"})
		s.expect(t, Tuple{int64(ctlAliasSend), s.conn.self, monitor, Tuple{nested, reply}})
		s.send(Tuple{ctlRegSendTT, caller, Atom(""), Atom("beamyard"), Atom("trace")}, Tuple{Atom("$gen_cast"), "hello"})
		s.expect(t)
	})
}

func TestServeIgnoresOtherMessages(t *testing.T) {
	in(t, func(t *testing.T) {
		var handled atomic.Int32
		s := serve(t, Limits{}, func(context.Context, any) any { handled.Add(1); return nil })
		third := Pid{Node: "third@node", ID: 1}
		for _, message := range []any{
			"text", Tuple{}, Tuple{Atom("$gen_call")}, Tuple{Atom("$gen_call"), caller, "x"}, Tuple{Atom("$gen_call"), Tuple{caller}, "x"},
			Tuple{Atom("$gen_call"), Tuple{third, monitor}, "x"}, Tuple{Atom("$gen_call"), Tuple{List{}, monitor}, "x"}, Tuple{Atom("$gen_cast")},
			Tuple{Atom("system"), Tuple{caller, monitor}, Atom("get_state")},
		} {
			s.send(Tuple{ctlRegSend, caller, Atom(""), Atom("beamyard")}, message)
		}
		s.send(Tuple{ctlRegSend, caller, Atom(""), Atom("another")}, Tuple{Atom("$gen_call"), Tuple{caller, tag}, "x"})
		s.expect(t)
		if n := handled.Load(); n != 0 {
			t.Errorf("%d were handled", n)
		}
	})
}

func TestServeRefuses(t *testing.T) {
	in(t, func(t *testing.T) {
		s := serve(t, Limits{Bytes: 1 << 10, Depth: 50}, func(context.Context, any) any { return struct{}{} })
		s.call("hello")
		s.expect(t, exit("bad_reply"))
		s.call(strings.Repeat("x", 2<<10))
		s.expect(t, exit("message_too_large"))
		var deep any = List{}
		for range 100 {
			deep = Tuple{deep}
		}
		s.call(deep)
		s.expect(t, exit("message_too_large"))
		s.send(Tuple{ctlRegSend, caller, Atom(""), Atom("beamyard")}, Tuple{Atom("$gen_cast"), deep})
		s.send(Tuple{ctlRegSend, caller, Atom(""), Atom("beamyard")}, deep)
		s.expect(t)
	})
}

// Requests beyond those that are handled wait, and those beyond that end at once.
func TestServeIsBounded(t *testing.T) {
	in(t, func(t *testing.T) {
		var now, most atomic.Int32
		gate := make(chan struct{})
		s := serve(t, Limits{}, func(context.Context, any) any {
			for n, was := now.Add(1), most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
			}
			<-gate
			now.Add(-1)
			return true
		})
		const all = maxServing + maxQueued
		for range all {
			s.call(nil)
		}
		s.expect(t)
		s.call(nil)
		s.expect(t, exit("system_limit"))
		close(gate)
		if got := len(s.told()); got > all || got < maxServing || most.Load() != maxServing {
			t.Errorf("%d of %d requests were answered, %d at once", got, all, most.Load())
		}
	})
}

// A caller that gives up removes its monitor.
func TestServeEndsWhatIsNotAwaited(t *testing.T) {
	in(t, func(t *testing.T) {
		var ended atomic.Int32
		s := serve(t, Limits{}, func(ctx context.Context, _ any) any {
			<-ctx.Done()
			ended.Add(1)
			return true
		})
		s.call(nil)
		s.expect(t)
		s.send(Tuple{ctlDemonitor, caller, Atom("beamyard"), monitor})
		s.expect(t)
		if n := ended.Load(); n != 1 {
			t.Errorf("%d have ended", n)
		}
	})
}

func TestServeEnds(t *testing.T) {
	in(t, func(t *testing.T) {
		s := serve(t, Limits{}, func(ctx context.Context, _ any) any { <-ctx.Done(); return true })
		if err := s.conn.Serve(t.Context(), "beamyard", nil); err == nil {
			t.Error("a name was registered twice")
		}
		s.call(nil)
		s.expect(t)
		s.end()
		if err := <-s.done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		s.expect(t, exit("normal"))
		s.send(Tuple{ctlMonitor, caller, Atom("beamyard"), monitor})
		s.expect(t, exit("noproc"))
	})
	in(t, func(t *testing.T) {
		s := serve(t, Limits{}, func(ctx context.Context, _ any) any { <-ctx.Done(); return true })
		s.call(nil)
		s.expect(t)
		s.nc.Close()
		if err := <-s.done; !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

// FuzzServe checks that no frame of a node stops the server of a connection, or its reader
// without a typed error.
func FuzzServe(f *testing.F) {
	for _, message := range []any{
		Tuple{Atom("$gen_call"), Tuple{caller, tag}, "x"}, Tuple{Atom("$gen_cast"), "x"}, Tuple{Atom("$gen_call"), Tuple{caller, ImproperList{[]any{tag}, tag}}, Map{}},
	} {
		b, err := frame(Tuple{ctlRegSend, caller, Atom(""), Atom("beamyard")}, message)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[4:])
	}
	for _, control := range []Tuple{
		{ctlMonitor, caller, Atom("beamyard"), monitor}, {ctlDemonitor, caller, Atom("beamyard"), monitor}, {ctlMonitorExit, Atom("beamyard"), caller, monitor, "x"},
	} {
		b, err := frame(control)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[4:])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return // a tick
		}
		ours, theirs := net.Pipe()
		defer theirs.Close()
		c := &Conn{nc: ours, id: identity{self: testName, peer: testNode, peerFlags: flagAlias}, limits: Limits{Depth: 100, Bytes: 1 << 20}, done: make(chan struct{})}
		c.out.wake = make(chan struct{}, 1)
		s := &server{conn: c, name: "beamyard", queue: make(chan served, 1), calls: map[Ref]context.CancelFunc{}}
		c.boxes.open(s.name, s)
		c.monitored(caller, s.name, monitor)
		if err := c.dispatch(data); err != nil && !errors.Is(err, ErrProtocol) && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooBig) {
			t.Fatalf("untyped error: %v", err)
		}
		select {
		case r := <-s.queue:
			s.serve(t.Context(), func(_ context.Context, request any) any { return request }, r)
		default:
		}
	})
}
