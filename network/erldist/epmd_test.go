package erldist

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeEPMD answers each request in the documented format, and closes the connection.
func fakeEPMD(t *testing.T, answer func(request string) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			head := make([]byte, 2)
			io.ReadFull(conn, head)
			request := make([]byte, int(head[0])<<8|int(head[1]))
			io.ReadFull(conn, request)
			if a := answer(string(request)); a != "mute" {
				io.WriteString(conn, a)
			} else {
				io.Copy(io.Discard, conn) // until the client gives up
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func TestLookupEPMD(t *testing.T) {
	addr := fakeEPMD(t, func(request string) string {
		switch request {
		case "zapp":
			return "w\x00\x9f\xc7M\x00\x00\x06\x00\x05\x00\x03app\x00\x00"
		case "nnames", "n":
			return "\x00\x00\x11\x11name app at port 40903\nname other at port 1234\n"
		case "zshort":
			return "w\x00"
		case "zother":
			return "HTTP/1.1"
		case "zsilent":
			return ""
		case "zmute":
			return "mute"
		}
		return "w\x01"
	})
	port, err := LookupEPMD(t.Context(), addr, "app")
	if port != 40903 || err != nil {
		t.Errorf("got %d, %v", port, err)
	}
	names, err := Names(t.Context(), addr)
	if diff := cmp.Diff([]Name{{"app", 40903}, {"other", 1234}}, names); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for alive, want := range map[string]error{"nobody": ErrNotRegistered, "short": ErrProtocol, "other": ErrProtocol, "silent": ErrRefused} {
		_, err := LookupEPMD(t.Context(), addr, alive)
		var dial *DialError
		if !errors.Is(err, want) || !errors.As(err, &dial) || dial.Phase != PhaseEPMD || dial.Hint() == "" {
			t.Errorf("%s: got %v, want %v", alive, err, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := LookupEPMD(ctx, addr, "mute"); !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("mute EPMD: %v", err)
	}
}

func TestNoEPMD(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := LookupEPMD(t.Context(), l.Addr().String(), "app"); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
	if _, err := Names(t.Context(), l.Addr().String()); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
}

// A node is found at the port that its EPMD reports, with a new query for each dial. The
// address of a listener is used unchanged.
func TestListenAddr(t *testing.T) {
	port := "\x9f\xc7"
	addr := fakeEPMD(t, func(request string) string {
		if request == "zapp" {
			return "w\x00" + port + "M\x00\x00\x06\x00\x05\x00\x03app\x00\x00"
		}
		return "w\x01"
	})
	for _, tt := range []struct{ node, addr, want string }{
		{"app@n1.demo.test", "10.213.7.2:9100", "10.213.7.2:9100"},
		{"app@n1.demo.test", EPMDAddr(addr), "127.0.0.1:40903"},
	} {
		if got, err := ListenAddr(t.Context(), tt.node, tt.addr); got != tt.want || err != nil {
			t.Errorf("%s: %s, %v", tt.addr, got, err)
		}
	}
	_, err := (&Dialer{Cookie: "x"}).Dial(t.Context(), "other@n1.demo.test", EPMDAddr(addr))
	var failed *DialError
	if !errors.As(err, &failed) || failed.Phase != PhaseEPMD || !errors.Is(err, ErrNotRegistered) {
		t.Errorf("a name that EPMD does not know: %v", err)
	}
	_, err = (&Dialer{Cookie: "x"}).Dial(t.Context(), "app@n1.demo.test", EPMDAddr("127.0.0.1:1"))
	if !errors.Is(err, ErrRefused) {
		t.Errorf("no EPMD: %v", err)
	}
}
