package network

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A port range of its own, which real clusters do not use.
const testBase = 23100

func reader(s string) io.Reader { return strings.NewReader(s) }

func ports(held []*Reservation) []uint16 {
	var out []uint16
	for _, h := range held {
		out = append(out, h.Port())
	}
	return out
}

func release(t *testing.T, held ...*Reservation) {
	t.Helper()
	for _, h := range held {
		if err := h.Release(); err != nil {
			t.Error(err)
		}
	}
}

func TestHoldKeepsThePortUntilReleased(t *testing.T) {
	h, err := Hold("", 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Hold("", h.Port())
	var taken *PortTakenError
	if !errors.As(err, &taken) {
		t.Fatalf("the second hold: %v, want a *PortTakenError", err)
	}
	if taken.Port != h.Port() {
		t.Errorf("got %+v, want port %d", taken, h.Port())
	}
	release(t, h, h) // idempotent
	again, err := Hold("", h.Port())
	if err != nil {
		t.Fatalf("after the release: %v", err)
	}
	release(t, again)
}

func TestHoldOfAnotherMachinesAddress(t *testing.T) {
	_, err := Hold("203.0.113.1", 0)
	var taken *PortTakenError
	if err == nil || errors.As(err, &taken) {
		t.Errorf("got %v, want the bind error", err)
	}
	if _, err := Reserve(PortRange{HostIP: "203.0.113.1", Base: testBase}, 1, nil); err == nil {
		t.Error("the scan swallowed the bind error")
	}
}

func TestHoldFreePassesOver(t *testing.T) {
	busy, err := Hold("", testBase+1)
	if err != nil {
		t.Fatal(err)
	}
	defer release(t, busy)
	WellKnown[testBase+2] = "this test"
	defer delete(WellKnown, testBase+2)

	r := PortRange{Base: testBase, Span: 10}
	held, err := Reserve(r, 3, map[uint16]string{testBase: "stopped cluster demo"})
	if err != nil {
		t.Fatal(err)
	}
	defer release(t, held...)
	if diff := cmp.Diff([]uint16{testBase + 3, testBase + 4, testBase + 5}, ports(held)); diff != "" {
		t.Error(diff)
	}
}

// The open ports of this machine do not matter for another machine's, and no process here
// is prevented from using those.
func TestPortsOfAnotherMachine(t *testing.T) {
	busy, err := Hold("0.0.0.0", testBase+5)
	if err != nil {
		t.Fatal(err)
	}
	defer release(t, busy)
	r := PortRange{HostIP: "0.0.0.0", Base: testBase + 5, Elsewhere: true}
	held, err := Reserve(r, 2, map[uint16]string{testBase + 6: "a container there"})
	if got := ports(held); err != nil || !cmp.Equal(got, []uint16{testBase + 5, testBase + 7}) {
		t.Fatalf("got %v, %v", got, err)
	}
	here, err := Hold("0.0.0.0", testBase+7)
	if err != nil {
		t.Fatalf("a port of another machine is held here: %v", err)
	}
	release(t, append(held, here, Elsewhere(testBase+5))...)
}

func TestHoldFreeIsAllOrNothing(t *testing.T) {
	_, err := Reserve(PortRange{Base: testBase, Span: 4}, 6, map[uint16]string{testBase + 1: "x"})
	var few *NoPortsError
	if !errors.As(err, &few) {
		t.Fatalf("got %v, want a *NoPortsError", err)
	}
	if diff := cmp.Diff(NoPortsError{Base: testBase, Span: 4, Want: 6, Have: 3}, *few); diff != "" {
		t.Error(diff)
	}
	held, err := Reserve(PortRange{Base: testBase, Span: 4}, 4, nil)
	if err != nil {
		t.Fatalf("ports of the failed call are still held: %v", err)
	}
	release(t, held...)
}

func TestHoldFreeStopsAtTheLastPort(t *testing.T) {
	_, err := Reserve(PortRange{Base: 65535, Span: 100}, 2, map[uint16]string{65535: "x"})
	if got, want := fmt.Sprint(err), "only 0 of 2 host ports are free from 65535 to 65535"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Many clusters start at once, and none gets a port of another.
func TestHoldFreeInParallel(t *testing.T) {
	const clusters, each = 20, 5
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		all  []*Reservation
		seen = map[uint16]bool{}
	)
	for range clusters {
		wg.Go(func() {
			held, err := Reserve(PortRange{Base: testBase + 100, Span: 300}, each, nil)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			for _, p := range ports(held) {
				if seen[p] {
					t.Errorf("port %d was allocated twice", p)
				}
				seen[p] = true
			}
			all = append(all, held...)
		})
	}
	wg.Wait()
	release(t, all...)
	if len(seen) != clusters*each {
		t.Errorf("%d ports, want %d", len(seen), clusters*each)
	}
}

func TestPortErrors(t *testing.T) {
	for _, tt := range []struct {
		err  PortTakenError
		want string
	}{
		{PortTakenError{4200, ""}, "host port 4200 is taken"},
		{PortTakenError{4200, "beam.smp (pid 7)"}, "host port 4200 is taken by beam.smp (pid 7)"},
	} {
		if tt.err.Error() != tt.want || !strings.Contains(tt.err.Hint().String(), "4200") {
			t.Errorf("got %q, hint %q; want %q", tt.err.Error(), tt.err.Hint(), tt.want)
		}
	}
	if got, want := (&PortTakenError{4200, "docker-proxy (pid 9)"}).Hint().String(), "docker ps --filter publish=4200"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e := &NoPortsError{Base: 4200, Span: 1000, Want: 3, Have: 1}
	if diff := cmp.Diff([]string{
		"only 1 of 3 host ports are free from 4200 to 5199",
		"remove clusters that are no longer needed (beamyard prune), or search elsewhere: host_port: 5200 in beamyard.yml",
	}, []string{e.Error(), e.Hint().String()}); diff != "" {
		t.Error(diff)
	}
}

func TestListeners(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1068 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1068 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 100 0 0 10 0
   2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 100 0 0 10 0
   3: 00000000000000000000000000000000:1068 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4714 1 0 100 0 0 10 0
`
	if diff := cmp.Diff([]string{"4711", "4714"}, listeners(reader(table), 4200)); diff != "" {
		t.Error(diff)
	}
	if got := listeners(reader(table), 4201); got != nil {
		t.Errorf("port 4201 has listeners %v", got)
	}
}

func TestOwner(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the holder is known on Linux only")
	}
	l, err := net.Listen("tcp", "[::]:0") // an entry of tcp6
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSpace(string(comm)) + " (pid " + strconv.Itoa(os.Getpid()) + ")"
	if got := Owner(port); got != want {
		t.Errorf("Owner = %q, want %q", got, want)
	}
	l.Close()
	if got := Owner(port); got != "" {
		t.Errorf("after the close: %q", got)
	}
	if got := holderIn(filepath.Join(t.TempDir(), "missing"), port); got != "" {
		t.Errorf("without /proc: %q", got)
	}
}

func TestOwnerOrGuess(t *testing.T) {
	h, err := Hold("", 0)
	if err != nil {
		t.Fatal(err)
	}
	release(t, h) // a port that no well-known program uses
	if got := holderOrGuess(h.Port()); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
	WellKnown[h.Port()] = "MongoDB"
	defer delete(WellKnown, h.Port())
	if got, want := holderOrGuess(h.Port()), "another program, probably MongoDB (its usual port)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
