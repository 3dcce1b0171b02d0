package erldist

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func TestGroupLeaderRequests(t *testing.T) {
	var (
		put     = Atom("put_chars")
		unicode = Atom("unicode")
		latin1  = Atom("latin1")
		format  = List{List{int64('h'), int64('i')}}
		fails   = Tuple{Atom("error"), put}
	)
	tests := []struct {
		name    string
		request any
		reply   any
		output  string
	}{
		{"unicode binary", Tuple{put, unicode, []byte("☺")}, ioOK, "☺"},
		{"unicode chardata", Tuple{put, unicode, List{int64(0x263a), []byte("é"), List{int64('a')}}}, ioOK, "☺éa"},
		{"improper chardata", Tuple{put, unicode, ImproperList{[]any{int64('a')}, []byte("b")}}, ioOK, "ab"},
		{"latin1 binary", Tuple{put, latin1, []byte("\xe9")}, ioOK, "é"},
		{"old form is latin1", Tuple{put, []byte("\xe9")}, ioOK, "é"},
		{"rendered", Tuple{put, unicode, Atom("io_lib"), Atom("format"), format}, ioOK, "io_lib:format"},
		{"rendered, old form", Tuple{put, Atom("io_lib"), Atom("format"), format}, ioOK, "io_lib:format"},
		{"rendering fails", Tuple{put, unicode, Atom("m"), Atom("fails"), format}, Tuple{Atom("error"), Atom("fails")}, ""},
		{"no text", Tuple{put, unicode, Tuple{}}, fails, ""},
		{"no code point", Tuple{put, unicode, List{int64(0xd800)}}, fails, ""},
		{"no function", Tuple{put, unicode, int64(1), int64(2), int64(3)}, ioUnknown, ""},
		{"no text at all", Tuple{put}, ioUnknown, ""},
		{"several", Tuple{Atom("requests"), List{Tuple{put, unicode, []byte("a")}, Tuple{put, unicode, []byte("b")}}}, ioOK, "ab"},
		{"several, up to the error", Tuple{Atom("requests"), List{Tuple{put, unicode, Tuple{}}, Tuple{put, unicode, []byte("b")}}}, fails, ""},
		{"several, malformed", Tuple{Atom("requests"), int64(1)}, ioUnknown, ""},
		{"input", Tuple{Atom("get_line"), unicode, []byte("> ")}, Atom("eof"), ""},
		{"geometry", Tuple{Atom("get_geometry"), Atom("columns")}, ioNotSup, ""},
		{"options", Atom("getopts"), ioNotSup, ""},
		{"unknown", Tuple{Atom("dance")}, ioUnknown, ""},
		{"not even a tuple", int64(1), ioUnknown, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			g := groupLeader{w: &out, render: func(m, f string, _ []any) (any, error) {
				if f == "fails" {
					return nil, errors.New("badarg")
				}
				return List{[]byte(m), int64(':'), []byte(f)}, nil
			}}
			reply, err := g.request(tt.request)
			if diff := cmp.Diff(tt.reply, reply); diff != "" || err != nil || out.String() != tt.output {
				t.Errorf("%s error %v, output %q, want %q", diff, err, out.String(), tt.output)
			}
		})
	}
}

// printingNode is a node whose function prints twice before it returns. A process of a
// node does it in the same way: it monitors the group leader, sends its request, and
// waits.
func printingNode(replies *[]any) *peer {
	worker := Pid{Node: testNode, ID: 200, Creation: 7}
	ask := func(p *peer, to any, n uint32, req any) {
		ref := Ref{Node: testNode, Creation: 7, Len: 1, Words: [5]uint32{n}}
		p.send(Tuple{ctlMonitor, worker, to, ref})
		p.send(Tuple{ctlSend, Atom(""), to}, Tuple{Atom("io_request"), worker, ref, req})
	}
	var call request
	p := &peer{}
	p.rex = func(p *peer, r request) any {
		switch r.function {
		case "format": // formats our value, with the ordinary group leader
			return List{[]byte("1"), int64(0x263a), int64('\n')}
		case "late": // prints to a group leader that has ended
			ask(p, call.leader, 3, Tuple{Atom("put_chars"), Atom("unicode"), "late"})
			return Atom("ok")
		}
		call = r
		for _, nobody := range []any{Atom("name"), Pid{Node: "b@c", ID: 1}} { // these get no reply
			p.send(Tuple{ctlSend, Atom(""), r.leader}, Tuple{Atom("io_request"), nobody, Atom("ref"), Atom("getopts")})
		}
		ask(p, r.leader, 1, Tuple{Atom("put_chars"), Atom("unicode"), "hello "})
		return noReply{}
	}
	p.on = func(p *peer, ctl Tuple, m any) {
		*replies = append(*replies, append(Tuple{ctl[0]}, m))
		switch len(*replies) {
		case 1:
			ask(p, call.leader, 2, Tuple{Atom("put_chars"), Atom("unicode"), Atom("io_lib"), Atom("format"), List{"~w~n", List{1}}})
		case 2:
			p.reply(call, Atom("done"))
		}
	}
	return p
}

func TestCallOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var replies []any
		c := printingNode(&replies).dial(t)
		var out strings.Builder
		got, err := c.CallOutput(t.Context(), &out, "Elixir.Demo", "run")
		if err != nil || got != any(Atom("done")) || out.String() != "hello 1☺\n" {
			t.Errorf("got %v, %v, output %q", got, err, out.String())
		}
		if _, err := c.Call(t.Context(), "m", "late"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		ok := func(n uint32) any {
			return Tuple{int64(ctlSend), Tuple{Atom("io_reply"), Ref{Node: testNode, Creation: 7, Len: 1, Words: [5]uint32{n}}, Atom("ok")}}
		}
		down := any(Tuple{int64(ctlMonitorExit), nil})
		// Two replies. The two monitors that were not removed are told of the end, and so
		// is a process that prints later, which would otherwise wait forever.
		if diff := cmp.Diff([]any{ok(1), ok(2), down, down, down}, replies); diff != "" {
			t.Error(diff)
		}
	})
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestCallOutputWriterFails(t *testing.T) {
	var replies []any
	c := printingNode(&replies).dial(t)
	full := errors.New("disk full")
	if _, err := c.CallOutput(t.Context(), failingWriter{full}, "m", "run"); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
}

func TestCallOutputEndsWithTheConnection(t *testing.T) {
	c := (&peer{rex: func(p *peer, _ request) any { p.nc.Close(); return noReply{} }}).dial(t)
	if _, err := c.CallOutput(t.Context(), new(strings.Builder), "m", "run"); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}
