package doctor

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
)

func TestAnswers(t *testing.T) {
	serve := func(say string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Write([]byte(say))
				conn.Close()
			}
		}()
		return l.Addr().String()
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, tt := range []struct{ name, at, want string }{
		{"the helper", serve("NONCE"), "<nil>"},
		{"a proxy without a server", serve(""), "another program"},
		{"a stranger", serve("SSH-2.0-OpenSSH"), "another program"},
		{"nobody", closed.Addr().String(), "connection refused"},
	} {
		if got := fmt.Sprint(answers(t.Context(), tt.at, "NONCE")); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}

func TestWhatAContainerShows(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tx\nCapEff:\t00000000a80425fb\nSeccomp:\t2\n": false, // the default ones of Docker
		"Name:\tx\nCapEff:\t00000000a80435fb\n":              true,
		"Name:\tx\n":                                         false,
	} {
		if got := hasNetAdmin(status); got != want {
			t.Errorf("%q: %t", status, got)
		}
	}
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	for routes, want := range map[string]string{
		head + "eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\neth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n": "172.17.0.1", // little-endian
		head + "eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n":                                                             "invalid IP",
		"": "invalid IP",
	} {
		if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 && defaultGateway(routes).String() != want {
			t.Errorf("gateway %s, want %s, of\n%s", defaultGateway(routes), want, routes)
		}
	}
	if got := memAvailable("MemTotal: 10 kB\nMemAvailable:    2048 kB\n"); got != 2<<20 {
		t.Errorf("%d bytes are available", got)
	}
	if got := memAvailable("MemTotal: 10 kB\n"); got != 0 {
		t.Errorf("not reported: %d bytes", got)
	}
}

// The probe prints its facts in one line, and answers with the nonce.
func TestProbe(t *testing.T) {
	t.Setenv(nonceEnv, "NONCE")
	ctx, cancel := context.WithCancel(t.Context())
	out, said := make(chan string, 1), make(chan error, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { said <- tell(ctx, lines(out), l) }()
	var facts insideFacts
	if line := <-out; json.Unmarshal([]byte(line), &facts) != nil || facts.NoFile == 0 || facts.SpaceTotal == 0 || facts.MemoryFree == 0 || facts.BootID == "" {
		t.Errorf("%q", line)
	}
	if err := answers(ctx, l.Addr().String(), "NONCE"); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-said; err != nil {
		t.Error(err)
	}
}

// lines is a writer that passes on what is written.
type lines chan<- string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}
