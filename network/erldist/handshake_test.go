package erldist

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestHandshakeSettlesIdentity(t *testing.T) {
	node, ours := identities(t)
	for name, p := range map[string]*peer{"tcp": {}, "tls": {tls: node}} {
		t.Run(name, func(t *testing.T) {
			d := p.dialer(t)
			if p.tls != nil {
				d.TLS = ours
			}
			c, err := d.Dial(t.Context(), testNode, "pipe")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if c.Node() != testNode || c.Self() != testName || c.Creation() != 7 || c.Flags() != 0xdf07df7fb {
				t.Errorf("got %s, %s, %d, %x", c.Node(), c.Self(), c.Creation(), c.Flags())
			}
			if c.self.Creation != 0x102 {
				t.Errorf("our pids have the creation %x, not that of the node", c.self.Creation)
			}
		})
	}
}

func TestHandshakeUnderAName(t *testing.T) {
	const ours = "beamyard@beamyard.invalid"
	for name, alive := range map[string]bool{"the node has no such connection": false, "it has one, which is gone": true} {
		t.Run(name, func(t *testing.T) {
			p := &peer{alive: alive}
			d := p.dialer(t)
			d.Name = ours
			c, err := d.Dial(t.Context(), testNode, "pipe")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if c.Self() != ours || p.called != ours || c.self.Creation < 4 {
				t.Errorf("our name is %s, and to the node %s, creation %d", c.Self(), p.called, c.self.Creation)
			}
			if alive != (p.said == "strue") {
				t.Errorf("we replied %q", p.said)
			}
		})
	}
	for status, want := range map[string]error{"snok": ErrNotAllowed, "snot_allowed": ErrNotAllowed, "snamed:": ErrProtocol, "x": ErrProtocol} {
		d := (&peer{status: status}).dialer(t)
		d.Name = ours
		if _, err := d.Dial(t.Context(), testNode, "pipe"); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", status, err, want)
		}
	}
}

func TestHandshakeFailures(t *testing.T) {
	tests := []struct {
		name  string
		peer  *peer
		phase Phase
		want  error
	}{
		{"our cookie is wrong: the node hangs up", &peer{cookie: "other"}, PhaseDigest, ErrWrongCookie},
		{"its cookie is wrong", &peer{signs: "other"}, PhaseDigest, ErrWrongCookie},
		{"another node answers", &peer{name: "app@n2.demo.test"}, PhaseChallenge, ErrWrongName},
		{"nok", &peer{status: "snok"}, PhaseName, ErrNotAllowed},
		{"not_allowed", &peer{status: "snot_allowed"}, PhaseName, ErrNotAllowed},
		{"alive", &peer{status: "salive"}, PhaseName, ErrNotAllowed},
		{"ok without a name", &peer{status: "sok"}, PhaseName, ErrNotAllowed},
		{"ok_simultaneous without a name", &peer{status: "sok_simultaneous"}, PhaseName, ErrNotAllowed},
		{"a TLS server's alert", &peer{raw: "\x15\x03\x03\x00\x02\x02\x0a"}, PhaseName, ErrTLS},
		{"unknown status", &peer{status: "swhat"}, PhaseName, ErrProtocol},
		{"no status", &peer{status: "HTTP/1.1 400"}, PhaseName, ErrProtocol},
		{"short status", &peer{status: "snamed:\x00\x09abc"}, PhaseName, ErrProtocol},
		{"a port proxy without a server", &peer{hangUp: PhaseName}, PhaseName, ErrRefused},
		{"hangs up before its challenge", &peer{hangUp: PhaseChallenge}, PhaseChallenge, ErrRefused},
		{"says nothing", &peer{mute: PhaseName}, PhaseName, ErrTimeout},
		{"says nothing after our digest", &peer{mute: PhaseDigest}, PhaseDigest, ErrTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := tt.peer.dialer(t).Dial(t.Context(), testNode, "pipe")
				var dial *DialError
				if !errors.Is(err, tt.want) || !errors.As(err, &dial) {
					t.Fatalf("got %v, want a *DialError of %v", err, tt.want)
				}
				if dial.Phase != tt.phase {
					t.Errorf("phase %q, want %q", dial.Phase, tt.phase)
				}
				if dial.Hint() == "" || strings.Contains(err.Error()+dial.Hint(), testCookie) {
					t.Errorf("no hint, or the cookie in the text: %v (%s)", err, dial.Hint())
				}
			})
		})
	}
}

func TestDialWithoutListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err = new(Dialer).Dial(t.Context(), testNode, l.Addr().String())
	if !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
}

func TestDialCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := (&peer{mute: PhaseChallenge}).dialer(t).Dial(ctx, testNode, "pipe")
		if !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v, want Canceled after 1s", err, time.Since(start))
		}
	})
}

// The expected values were computed with OTP: erlang:md5("kx7Qs3cret4096").
func TestDigest(t *testing.T) {
	d := digest(testCookie, 4096)
	const want = "9f9f7e0be3e25eefa7e18bbdfe313c59"
	if got := hex.EncodeToString(d[:]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzHandshakeMessages(f *testing.F) {
	f.Add([]byte("snamed:\x00\x03a@b\x00\x00\x00\x01"))
	f.Add([]byte("N\x00\x00\x00\x0d\xf0\x7d\xf7\xfb\x00\x00\x10\x00\x00\x00\x00\x07\x00\x03a@b"))
	f.Add([]byte("a0123456789abcdef"))
	f.Fuzz(func(_ *testing.T, msg []byte) { // must not panic
		parseStatus(msg)
		parseStatusOfName(msg)
		parseChallenge(msg)
		checkAck(msg, testCookie, 1)
	})
}
