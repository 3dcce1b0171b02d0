package fault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
)

// A host is a network namespace of its own, with a thread in it.
type host struct {
	name  string
	v4    netip.Addr
	v6    netip.Addr
	tasks chan func()
	ns    *os.File
}

// do runs a function in the host's network namespace. Sockets that it opens stay there.
func (h *host) do(f func()) {
	done := make(chan struct{})
	h.tasks <- func() { defer close(done); f() }
	<-done
}

func (h *host) node() Node { return Node{Name: h.name, Addrs: []netip.Addr{h.v4, h.v6}} }

func newHost(t *testing.T, name string) *host {
	h := &host{name: name, tasks: make(chan func())}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the namespace ends with the thread
		err := syscall.Unshare(syscall.CLONE_NEWNET)
		if err == nil {
			h.ns, err = os.Open("/proc/thread-self/ns/net")
		}
		started <- err
		if err != nil {
			return
		}
		for f := range h.tasks {
			f()
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("a network namespace of its own: %v", err)
	}
	t.Cleanup(func() { close(h.tasks); h.ns.Close() })
	return h
}

// newHosts returns hosts that a bridge joins, as an engine's network does.
func newHosts(t *testing.T, count int) []*host {
	t.Helper()
	middle := newHost(t, "bridge")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	var bridge netlink.Link
	middle.do(func() {
		must(netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}))
		var err error
		bridge, err = netlink.LinkByName("br0")
		must(err)
		must(netlink.LinkSetUp(bridge))
		addAddrs(t, bridge, gateway4, gateway6)
	})
	var hosts []*host
	for i := 1; i <= count; i++ {
		h := newHost(t, fmt.Sprintf("n%d", i))
		h.v4 = netip.AddrFrom4([4]byte{10, 9, 0, byte(i)})
		h.v6 = netip.MustParseAddr(fmt.Sprintf("fd09::%d", i))
		port := fmt.Sprintf("port%d", i)
		middle.do(func() {
			must(netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: port}, PeerName: "eth0", PeerNamespace: netlink.NsFd(h.ns.Fd())}))
			link, err := netlink.LinkByName(port)
			must(err)
			must(netlink.LinkSetMaster(link, bridge))
			must(netlink.LinkSetUp(link))
		})
		h.do(func() {
			lo, err := netlink.LinkByName("lo")
			must(err)
			must(netlink.LinkSetUp(lo))
			eth, err := netlink.LinkByName("eth0")
			must(err)
			must(netlink.LinkSetUp(eth))
			addAddrs(t, eth, h.v4, h.v6)
		})
		hosts = append(hosts, h)
	}
	if t.Failed() {
		t.FailNow()
	}
	// The kernel brings the links up in its own time.
	for _, h := range hosts {
		for _, gateway := range []netip.Addr{gateway4, gateway6} {
			deadline := time.Now().Add(10 * time.Second)
			for {
				_, err := h.dialFor(gateway, 9, silence)
				if errors.Is(err, syscall.ECONNREFUSED) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s does not reach %s: %v", h.name, gateway, err)
				}
			}
		}
	}
	return hosts
}

// The addresses of the bridge.
var gateway4, gateway6 = netip.MustParseAddr("10.9.0.254"), netip.MustParseAddr("fd09::fe")

func addAddrs(t *testing.T, link netlink.Link, v4, v6 netip.Addr) {
	for _, a := range []*netlink.Addr{
		{IPNet: &net.IPNet{IP: v4.AsSlice(), Mask: net.CIDRMask(24, 32)}},
		// NODAD: the address can be used at once.
		{IPNet: &net.IPNet{IP: v6.AsSlice(), Mask: net.CIDRMask(64, 128)}, Flags: syscall.IFA_F_NODAD},
	} {
		if err := netlink.AddrAdd(link, a); err != nil {
			t.Error(err)
		}
	}
}

func nodesOf(hosts []*host) (nodes []Node) {
	for _, h := range hosts {
		nodes = append(nodes, h.node())
	}
	return nodes
}

func (h *host) apply(t *testing.T, r Rules) {
	t.Helper()
	var err error
	h.do(func() { err = Apply(r) })
	if err != nil {
		t.Fatalf("%s: apply: %v", h.name, err)
	}
}

func (h *host) read(t *testing.T) (r Rules) {
	t.Helper()
	var err error
	h.do(func() { r, err = Read() })
	if err != nil {
		t.Fatalf("%s: read: %v", h.name, err)
	}
	return r
}

// inject applies faults to all hosts, and reads them back.
func inject(t *testing.T, hosts []*host, faults ...Fault) {
	t.Helper()
	var names []string
	for _, h := range hosts {
		names = append(names, h.name)
	}
	for _, f := range faults {
		if err := f.Validate(names); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	plan := Plan(nodesOf(hosts), faults, now)
	for _, h := range hosts {
		h.apply(t, plan[h.name])
		if got, want := h.read(t).String(), plan[h.name].Live(time.Now()).String(); got != want {
			t.Errorf("%s has\n%swant\n%s", h.name, got, want)
		}
	}
}

// listen accepts TCP connections until the test ends, and sends back what it gets.
func (h *host) listen(t *testing.T) (port uint16) {
	t.Helper()
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // as the BEAM
	var l net.Listener
	var err error
	h.do(func() { l, err = lc.Listen(t.Context(), "tcp", ":0") })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

const (
	silence  = 400 * time.Millisecond // how long is waited for what must not come
	patience = 10 * time.Second       // and for what must come, on a busy machine
)

// dial connects, and exchanges one byte.
func (h *host) dial(addr netip.Addr, port uint16) (net.Conn, error) {
	return h.dialFor(addr, port, patience)
}

func (h *host) dialFor(addr netip.Addr, port uint16, limit time.Duration) (conn net.Conn, err error) {
	h.do(func() { conn, err = net.DialTimeout("tcp", netip.AddrPortFrom(addr, port).String(), limit) })
	if err == nil {
		err = echoFor(conn, limit)
	}
	return conn, err
}

func echo(conn net.Conn) error { return echoFor(conn, silence) }

func echoFor(conn net.Conn, limit time.Duration) error {
	conn.SetDeadline(time.Now().Add(limit))
	if _, err := conn.Write([]byte{7}); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	return err
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// both calls a subtest for each version of IP.
func both(t *testing.T, to *host, f func(t *testing.T, addr netip.Addr)) {
	t.Helper()
	for _, addr := range []netip.Addr{to.v4, to.v6} {
		t.Run(map[bool]string{true: "IPv4", false: "IPv6"}[addr.Is4()], func(t *testing.T) { f(t, addr) })
	}
}

func TestDropIsSilence(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 3)
	n1, n2, n3 := hosts[0], hosts[1], hosts[2]
	port := n2.listen(t)
	established := map[netip.Addr]net.Conn{}
	both(t, n2, func(t *testing.T, addr netip.Addr) {
		conn, err := n1.dial(addr, port)
		if err != nil {
			t.Fatalf("before the fault: %v", err)
		}
		established[addr] = conn
	})
	if t.Failed() {
		return
	}
	neighbours := n1.neighbours(t)

	inject(t, hosts, Isolate("n1"))
	both(t, n2, func(t *testing.T, addr netip.Addr) {
		if err := echo(established[addr]); !timedOut(err) {
			t.Errorf("an established connection: %v", err)
		}
		if _, err := n1.dialFor(addr, port, silence); !timedOut(err) {
			t.Errorf("a new connection: %v", err)
		}
		if _, err := n3.dial(addr, port); err != nil {
			t.Errorf("from n3, which is not cut off: %v", err)
		}
	})
	if got := n1.neighbours(t); got != neighbours || got != 4 { // n2 and the bridge, by two addresses each
		t.Errorf("n1 knows the hardware addresses of %d neighbours, and of %d before", got, neighbours)
	}

	inject(t, hosts)
	both(t, n2, func(t *testing.T, addr netip.Addr) {
		// TCP sends again what was lost, after a pause that has doubled each time.
		established[addr].SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := established[addr].Read(make([]byte, 1)); err != nil {
			t.Errorf("the established connection, healed: %v", err)
		}
		if _, err := n1.dial(addr, port); err != nil {
			t.Errorf("a new connection, healed: %v", err)
		}
	})
}

// One end alone is enough: the other may have restarted, and have no rules yet.
func TestOneEndAloneCuts(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 2)
	n1, n2 := hosts[0], hosts[1]
	plan := Plan(nodesOf(hosts), []Fault{Isolate("n1")}, time.Now())
	n2.apply(t, plan["n2"])
	port1, port2 := n1.listen(t), n2.listen(t)
	both(t, n2, func(t *testing.T, addr netip.Addr) {
		if _, err := n1.dialFor(addr, port2, silence); !timedOut(err) {
			t.Errorf("to the end with the rules: %v", err)
		}
	})
	both(t, n1, func(t *testing.T, addr netip.Addr) {
		if _, err := n2.dialFor(addr, port1, silence); !timedOut(err) {
			t.Errorf("from the end with the rules: %v", err)
		}
	})
}

func TestResetRefusesAtOnce(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 3)
	n1, n2, n3 := hosts[0], hosts[1], hosts[2]
	port := n2.listen(t)
	established := map[netip.Addr]net.Conn{}
	both(t, n2, func(t *testing.T, addr netip.Addr) {
		conn, err := n1.dial(addr, port)
		if err != nil {
			t.Fatalf("before the fault: %v", err)
		}
		established[addr] = conn
	})
	if t.Failed() {
		return
	}
	reset := Isolate("n1")
	reset.How = Reset
	inject(t, hosts, reset)
	both(t, n2, func(t *testing.T, addr netip.Addr) {
		established[addr].SetDeadline(time.Now().Add(silence))
		if _, err := established[addr].Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNABORTED) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("an established connection, idle: %v", err)
		}
		start := time.Now()
		if _, err := n1.dial(addr, port); !errors.Is(err, syscall.ECONNREFUSED) || time.Since(start) > time.Second {
			t.Errorf("a new connection: %v after %v", err, time.Since(start))
		}
		if _, err := n3.dial(addr, port); err != nil {
			t.Errorf("from n3, which is not cut off: %v", err)
		}
		if err := n1.udp(addr, 9); !errors.Is(err, syscall.EPERM) { // Linux says so at the sending end
			t.Errorf("a datagram: %v", err)
		}
	})
	// With the rules of one end only, refused from there.
	for i, alone := range []*host{n1, n2} {
		inject(t, hosts)
		alone.apply(t, Plan(nodesOf(hosts), []Fault{reset}, time.Now())[alone.name])
		both(t, n2, func(t *testing.T, addr netip.Addr) {
			if _, err := n1.dial(addr, port); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("with rules at end %d only: %v", i+1, err)
			}
			if err := n1.udp(addr, 9); !errors.Is(err, []error{syscall.EPERM, syscall.ECONNREFUSED}[i]) {
				t.Errorf("a datagram with rules at end %d only: %v", i+1, err)
			}
		})
	}
}

// udp sends a datagram, and waits for what comes back.
func (h *host) udp(addr netip.Addr, port uint16) (err error) {
	var conn net.Conn
	h.do(func() { conn, err = net.Dial("udp", netip.AddrPortFrom(addr, port).String()) })
	if err != nil {
		return err
	}
	defer conn.Close()
	return echoFor(conn, patience)
}

// neighbours counts those whose hardware address is known.
func (h *host) neighbours(t *testing.T) (count int) {
	h.do(func() {
		list, err := netlink.NeighList(0, 0)
		if err != nil {
			t.Error(err)
		}
		for _, n := range list {
			addr, _ := netip.AddrFromSlice(n.IP)
			if len(n.HardwareAddr) > 0 && !addr.IsMulticast() && !addr.IsLinkLocalUnicast() && !addr.IsLoopback() && n.State&netlink.NUD_FAILED == 0 {
				count++
			}
		}
	})
	return count
}

// A sink gets datagrams.
type sink struct {
	*net.UDPConn
	port uint16
}

func (h *host) sink(t *testing.T) sink {
	t.Helper()
	var conn *net.UDPConn
	var err error
	h.do(func() { conn, err = net.ListenUDP("udp", nil) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetReadBuffer(1 << 20) // or less, as the kernel allows
	return sink{conn, conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()}
}

// received is what a sink got.
type received struct {
	numbers     []uint32 // of the datagrams, in the order in which they came
	bytes       int
	first, last time.Time
}

// collect adds to r what comes, until nothing has come for a time.
func (s sink) collect(t *testing.T, r *received, idle time.Duration) {
	t.Helper()
	buf := make([]byte, 2000)
	for {
		s.SetReadDeadline(time.Now().Add(idle))
		n, err := s.Read(buf)
		if timedOut(err) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		r.last = time.Now()
		if len(r.numbers) == 0 {
			r.first = r.last
		}
		r.numbers = append(r.numbers, binary.BigEndian.Uint32(buf))
		r.bytes += n
	}
}

func (s sink) receive(t *testing.T) (r received) {
	t.Helper()
	s.collect(t, &r, silence)
	return r
}

// sender returns a socket for datagrams to a sink.
func (h *host) sender(t *testing.T, addr netip.Addr, to sink) (conn net.Conn) {
	t.Helper()
	var err error
	h.do(func() { conn, err = net.Dial("udp", netip.AddrPortFrom(addr, to.port).String()) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// send sends numbered datagrams of a size. Where they are cut, that is an error.
func send(conn net.Conn, first, count, size int) {
	for i := range count {
		conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(first+i)), make([]byte, size-4)...))
	}
}

// flow sends 4000 small datagrams, a few at a time, since a receiver without room drops them.
func flow(t *testing.T, from *host, addr netip.Addr, at *host) (r received) {
	t.Helper()
	to := at.sink(t)
	conn := from.sender(t, addr, to)
	for first := 0; first < 4000; first += 100 {
		send(conn, first, 100, 100)
		to.collect(t, &r, 2*time.Millisecond)
	}
	to.collect(t, &r, silence)
	return r
}

func TestOneWay(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 2)
	n1, n2 := hosts[0], hosts[1]
	inject(t, hosts, OneWay(Pair{"n1", "n2"}))
	to1, to2 := n1.sink(t), n2.sink(t)
	for _, addrs := range [][2]netip.Addr{{n1.v4, n2.v4}, {n1.v6, n2.v6}} {
		send(n1.sender(t, addrs[1], to2), 0, 100, 10)
		send(n2.sender(t, addrs[0], to1), 0, 100, 10)
	}
	if forth, back := len(to2.receive(t).numbers), len(to1.receive(t).numbers); forth != 0 || back != 200 {
		t.Errorf("%d datagrams from n1 to n2, %d back; want 0 and 200", forth, back)
	}
}

func TestHardCutsOffTheHost(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 3)
	n1, n2, host := hosts[0], hosts[1], hosts[2] // the third is not a node
	hard := Isolate("n1")
	hard.Hard = true
	inject(t, hosts[:2], hard)
	port1, port2 := n1.listen(t), n2.listen(t)
	both(t, n1, func(t *testing.T, addr netip.Addr) {
		if _, err := host.dialFor(addr, port1, silence); !timedOut(err) {
			t.Errorf("from the host: %v", err)
		}
	})
	both(t, n2, func(t *testing.T, addr netip.Addr) {
		if _, err := host.dial(addr, port2); err != nil {
			t.Errorf("from the host to the other node: %v", err)
		}
		if _, err := n2.dial(addr, port2); err != nil {
			t.Errorf("to itself: %v", err)
		}
	})
	hard.How, hard.Groups = Reset, [][]string{{"n1", "n2"}}
	inject(t, hosts[:2], hard)
	both(t, n1, func(t *testing.T, addr netip.Addr) {
		if _, err := host.dial(addr, port1); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("from the host, reset: %v", err)
		}
		if _, err := n2.dial(addr, port1); err != nil {
			t.Errorf("between the nodes of a group: %v", err)
		}
	})
}

func TestLoss(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 3)
	n1, n2, n3 := hosts[0], hosts[1], hosts[2]
	lossy := Link(Quality{Loss: 20}, Pair{"n1", "n2"})
	until := lossy
	until.End = time.Now().Add(time.Minute) // separate in the kernel: 36 % together
	for _, test := range []struct {
		name   string
		faults []Fault
		from   *host
		addr   netip.Addr
		want   float64
	}{
		{"20 %", []Fault{lossy}, n1, n2.v4, 0.2},
		{"20 % by IPv6", []Fault{lossy}, n1, n2.v6, 0.2},
		{"twice 20 %", []Fault{lossy, lossy}, n1, n2.v4, 0.36},
		{"twice 20 % with other ends", []Fault{lossy, until}, n1, n2.v4, 0.36},
		{"other way", []Fault{lossy}, n2, n1.v4, 0},
		{"other peer", []Fault{lossy}, n3, n2.v4, 0},
		{"from everyone", []Fault{Link(Quality{Loss: 20}, Pair{Everyone, "n2"})}, n3, n2.v6, 0.2},
	} {
		t.Run(test.name, func(t *testing.T) {
			inject(t, hosts, test.faults...)
			at := map[bool]*host{true: n1, false: n2}[test.from == n2]
			lost := 1 - float64(len(flow(t, test.from, test.addr, at).numbers))/4000
			if lost < test.want*0.8 || lost > test.want*1.2 {
				t.Errorf("%.1f %% are lost; want %.1f %%", lost*100, test.want*100)
			}
		})
	}
}

// rate measures how many bits a second go through. A busy machine can only make them less:
// it measures again if there are too few.
func rate(t *testing.T, from *host, addr netip.Addr, at *host, want float64) (best float64) {
	t.Helper()
	for try := 0; try < 5 && best < want*0.8; try++ {
		to := at.sink(t)
		go send(from.sender(t, addr, to), 0, 600, 1000)
		r := to.receive(t)
		const headers = 42 // of UDP, IPv4 and Ethernet: the kernel counts them
		best = max(best, float64(r.bytes+len(r.numbers)*headers)*8/r.last.Sub(r.first).Seconds())
	}
	return best
}

func TestRate(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 3)
	n1, n2, n3 := hosts[0], hosts[1], hosts[2]
	slow := Link(Quality{Shaping: Shaping{Rate: 8_000_000}}, Pair{"n1", "n2"})
	slower := Link(Quality{Shaping: Shaping{Rate: 4_000_000}}, Pair{"n1", Everyone})
	near := func(t *testing.T, addr netip.Addr, to *host, want float64) {
		t.Helper()
		if got := rate(t, n1, addr, to, want); got < want*0.8 || got > want*1.2 {
			t.Errorf("%.2f Mbit/s; want %.2f", got/1e6, want/1e6)
		}
	}
	inject(t, hosts, slow)
	both(t, n2, func(t *testing.T, addr netip.Addr) { near(t, addr, n2, 8e6) })
	if got := rate(t, n1, n3.v4, n3, 16e6); got < 16e6 {
		t.Errorf("to n3, which is not slow: %.2f Mbit/s", got/1e6)
	}
	inject(t, hosts, slow, slower)
	near(t, n2.v4, n2, 4e6)
	near(t, n3.v4, n3, 4e6)
	inject(t, hosts)
	if got := rate(t, n1, n2.v4, n2, 16e6); got < 16e6 {
		t.Errorf("healed: %.2f Mbit/s", got/1e6)
	}
}

// The kernel alone ends faults: nothing of ours runs between Apply and the end.
func TestTheKernelEndsFaults(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 2)
	n1, n2 := hosts[0], hosts[1]
	to := n2.sink(t)
	start := time.Now()
	cut := OneWay(Pair{"n1", "n2"})
	cut.End = start.Add(1500 * time.Millisecond)
	slow := Link(Quality{Loss: 50, Shaping: Shaping{Rate: 1_000_000}}, Pair{"n1", "n2"})
	slow.End = start.Add(2500 * time.Millisecond)
	inject(t, hosts, cut, slow)
	conn := n1.sender(t, n2.v4, to)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	go func() {
		for now := range ticker.C {
			send(conn, 0, 1, 10)
			if now.After(slow.End.Add(100 * time.Millisecond)) {
				return
			}
		}
	}()
	to.SetReadDeadline(cut.End.Add(-20 * time.Millisecond))
	if _, err := to.Read(make([]byte, 10)); !timedOut(err) {
		t.Errorf("a datagram came after %v; the cut ends after %v", time.Since(start), cut.End.Sub(start))
	}
	to.SetReadDeadline(slow.End.Add(-20 * time.Millisecond))
	if _, err := to.Read(make([]byte, 10)); err != nil {
		t.Errorf("no datagram comes after the cut: %v", err)
	}
	for _, h := range hosts {
		if got, want := h.read(t), Plan(nodesOf(hosts), []Fault{slow}, start)[h.name]; got.String() != want.String() {
			t.Errorf("after the cut %s has\n%swant\n%s", h.name, got, want)
		}
	}
	to.receive(t)
	for _, h := range hosts {
		if got := h.read(t).String(); got != "" {
			t.Errorf("after the end %s still has\n%s", h.name, got)
		}
	}
	if got := len(flow(t, n1, n2.v4, n2).numbers); got != 4000 {
		t.Errorf("after the end %d of 4000 datagrams came", got)
	}
}

// While rules are replaced again and again, not one packet passes a cut that is in all of
// them.
func TestReplaceHasNoGap(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 2)
	n1, n2 := hosts[0], hosts[1]
	to := n2.sink(t)
	cut, lossy := OneWay(Pair{"n1", "n2"}), Link(Quality{Loss: 1}, Pair{"n2", "n1"})
	one := Plan(nodesOf(hosts), []Fault{cut}, time.Now())["n2"]
	two := Plan(nodesOf(hosts), []Fault{cut, lossy}, time.Now())["n2"]
	n2.apply(t, one)
	conn := n1.sender(t, n2.v4, to)
	stop, stopped := make(chan struct{}), make(chan struct{})
	var sent int
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				send(conn, 0, 100, 10)
				sent += 100
			}
		}
	}()
	for range 50 {
		n2.apply(t, two)
		n2.apply(t, one)
	}
	close(stop)
	<-stopped
	if got := len(to.receive(t).numbers); got != 0 || sent < 1000 {
		t.Errorf("%d of %d datagrams came through", got, sent)
	}
}

// refused applies rules that the kernel refuses, and looks that nothing has changed.
func (h *host) refused(t *testing.T, r Rules) error {
	t.Helper()
	before := h.read(t).String()
	var err error
	h.do(func() { err = Apply(r) })
	if err == nil {
		t.Error("the rules are applied")
	}
	if got := h.read(t).String(); got != before {
		t.Errorf("after a failure there is\n%swant\n%s", got, before)
	}
	return err
}

// A queue of another program stays, and nothing is applied on top of it.
func TestAForeignQueueStays(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 2)
	cut, slow := Isolate("n1"), Link(Quality{Shaping: Shaping{Rate: 8_000_000}}, Pair{"n1", "n2"})
	inject(t, hosts, cut)
	var foreign netlink.Qdisc
	hosts[0].do(func() {
		eth, err := netlink.LinkByName("eth0")
		if err != nil {
			t.Error(err)
			return
		}
		foreign = netlink.NewHtb(netlink.QdiscAttrs{LinkIndex: eth.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT})
		if err := netlink.QdiscAdd(foreign); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		return
	}
	err := hosts[0].refused(t, Plan(nodesOf(hosts), []Fault{slow}, time.Now())["n1"])
	if err != nil && !strings.Contains(err.Error(), "interface eth0: there is a queue of another program (htb)") {
		t.Error(err)
	}
	inject(t, hosts) // no queue is needed
	hosts[0].do(func() {
		if err := netlink.QdiscDel(foreign); err != nil {
			t.Errorf("the other program's queue: %v", err)
		}
	})
}

// If connections cannot be reset, the rules that were there before are put back.
func TestAFailedResetIsUndone(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 2)
	n1 := hosts[0]
	slow := Link(Quality{Loss: 1, Shaping: Shaping{Rate: 8_000_000}}, Pair{"n2", "n1"}, Pair{"n1", "n2"})
	inject(t, hosts, slow)
	n1.do(func() { forbidSockDiag(t) })
	reset := Isolate("n1")
	reset.How = Reset
	faster := Link(Quality{Shaping: Shaping{Rate: 16_000_000}}, Pair{"n1", "n2"})
	if err := n1.refused(t, Plan(nodesOf(hosts), []Fault{reset, faster}, time.Now())["n1"]); !errors.Is(err, syscall.EPERM) {
		t.Error(err)
	}
}

// forbidSockDiag has this thread open no more sockets of NETLINK_INET_DIAG (seccomp(2)).
func forbidSockDiag(t *testing.T) {
	load := func(offset uint32) syscall.SockFilter {
		return syscall.SockFilter{Code: syscall.BPF_LD | syscall.BPF_W | syscall.BPF_ABS, K: offset}
	}
	unless := func(value uint32, skip uint8) syscall.SockFilter {
		return syscall.SockFilter{Code: syscall.BPF_JMP | syscall.BPF_JEQ | syscall.BPF_K, Jf: skip, K: value}
	}
	end := func(action uint32) syscall.SockFilter {
		return syscall.SockFilter{Code: syscall.BPF_RET | syscall.BPF_K, K: action}
	}
	const family, protocol = 16, 32 // of struct seccomp_data: the arguments, in little-endian order
	const errno, allow = 0x00050000, 0x7fff0000
	filter := []syscall.SockFilter{
		load(0), unless(syscall.SYS_SOCKET, 5),
		load(family), unless(syscall.AF_NETLINK, 3),
		load(protocol), unless(syscall.NETLINK_INET_DIAG, 1),
		end(errno | uint32(syscall.EPERM)),
		end(allow),
	}
	program := syscall.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	const setNoNewPrivs, setSeccomp, filterMode = 38, 22, 2
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, setNoNewPrivs, 1, 0, 0, 0, 0); errno != 0 {
		t.Error(errno)
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setSeccomp, filterMode, uintptr(unsafe.Pointer(&program))); errno != 0 {
		t.Error(errno)
	}
}

// With netem, packets are late, twice, broken and out of order. Without, that is refused.
func TestNetem(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 2)
	n1, n2 := hosts[0], hosts[1]
	link := func(s Shaping) Fault { return Link(Quality{Shaping: s}, Pair{"n1", "n2"}) }
	late := link(Shaping{Latency: 50 * time.Millisecond, Jitter: 10 * time.Millisecond})
	var s Support
	n1.do(func() { s = Features() })
	if !s.Netem.Works {
		inject(t, hosts, Link(Quality{Loss: 3, Shaping: Shaping{Rate: 8_000_000}}, Pair{"n1", "n2"}))
		rules := Plan(nodesOf(hosts), []Fault{late, Isolate("n1")}, time.Now())["n1"]
		if err := n1.refused(t, rules); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("a latency without netem: %v", err)
		}
		if err := s.Check(rules); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), s.Netem.Why) {
			t.Errorf("the check of a latency without netem: %v", err)
		}
		return
	}
	port := n2.listen(t)
	near := func(t *testing.T, got, want int) {
		t.Helper()
		if float64(got) < float64(want)*0.8 || float64(got) > float64(want)*1.2 {
			t.Errorf("%d of 4000 datagrams; want %d", got, want)
		}
	}
	t.Run("latency", func(t *testing.T) {
		inject(t, hosts, late)
		conn, err := n1.dial(n2.v6, port)
		if err != nil {
			t.Fatal(err)
		}
		best := time.Minute // a busy machine can only take longer
		for range 10 {
			start := time.Now()
			if err := echoFor(conn, patience); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		if best < 39*time.Millisecond || best > 70*time.Millisecond {
			t.Errorf("there and back in %v; want 40 to 60 ms", best)
		}
	})
	t.Run("duplicate", func(t *testing.T) {
		inject(t, hosts) // kernels since 6.16 refuse it beside another netem
		inject(t, hosts, link(Shaping{Duplicate: 20}))
		near(t, len(flow(t, n1, n2.v4, n2).numbers)-4000, 800)
		inject(t, hosts)
	})
	t.Run("corrupt", func(t *testing.T) { // the receiver drops what has a wrong checksum
		inject(t, hosts, link(Shaping{Corrupt: 20}))
		near(t, 4000-len(flow(t, n1, n2.v4, n2).numbers), 800)
	})
	t.Run("reorder", func(t *testing.T) {
		inject(t, hosts, link(Shaping{Latency: 20 * time.Millisecond, Reorder: 20}))
		r := flow(t, n1, n2.v4, n2)
		early := 0 // those that come before one with a lower number
		for i := 1; i < len(r.numbers); i++ {
			if r.numbers[i] < r.numbers[i-1] {
				early++
			}
		}
		if len(r.numbers) != 4000 || early < 30 { // of each hundred one at least
			t.Errorf("%d datagrams came, %d of them out of order", len(r.numbers), early)
		}
	})
	t.Run("with a rate", func(t *testing.T) {
		inject(t, hosts, link(Shaping{Latency: 20 * time.Millisecond, Rate: 8_000_000}))
		if got := rate(t, n1, n2.v4, n2, 8e6); got < 6.4e6 || got > 9.6e6 {
			t.Errorf("%.2f Mbit/s; want 8", got/1e6)
		}
	})
}

// All kinds of rules at once are read back as they were applied, and removed without a trace.
func TestReadBack(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 4)
	soon, late := time.Now().Add(time.Minute), time.Now().Add(time.Hour)
	end := func(f Fault, end time.Time) Fault { f.End = end; return f }
	reset := Isolate("n4")
	reset.How, reset.Hard = Reset, true
	quality := func(loss float64, rate uint64) Quality { return Quality{Loss: loss, Shaping: Shaping{Rate: rate}} }
	inject(t, hosts,
		end(Isolate("n4"), soon), end(reset, late), OneWay(Pair{"n1", "n2"}),
		Link(quality(5, 10_000_000), Pair{"n1", "n2"}),
		end(Link(quality(5, 1_000_000), Pair{"n1", "n2"}), soon),
		end(Link(quality(0.0001, 2_000_000), Pair{"n1", Everyone}, Pair{Everyone, "n1"}), late),
		end(Link(quality(33.3333, 3_000_000), Pair{"n2", Everyone}), soon),
		Link(quality(100, 5_000_000_000), Pair{"n2", "n3"}),
	)
	inject(t, hosts)
	for _, h := range hosts {
		h.do(func() {
			eth, err := netlink.LinkByName("eth0")
			if err != nil {
				t.Error(err)
				return
			}
			qdiscs, err := netlink.QdiscList(eth)
			if err != nil || len(qdiscs) != 1 || qdiscs[0].Attrs().Handle != 0 {
				t.Errorf("%s is left with queues %+v, %v", h.name, qdiscs, err)
			}
			lists, cluster, err := readTable()
			if err != nil || lists != nil || cluster != nil {
				t.Errorf("%s is left with the table %+v, %v, %v", h.name, lists, cluster, err)
			}
		})
	}
}

func TestResetConnections(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 3)
	n1, n2, n3 := hosts[0], hosts[1], hosts[2]
	to2, to3 := n2.listen(t), n3.listen(t)
	var reset, stay []net.Conn
	for range 20 {
		for _, addr := range []netip.Addr{n2.v4, n2.v6} {
			conn, err := n1.dial(addr, to2)
			if err != nil {
				t.Fatal(err)
			}
			reset = append(reset, conn)
		}
	}
	for _, addr := range []netip.Addr{n3.v4, n3.v6} {
		conn, err := n1.dial(addr, to3)
		if err != nil {
			t.Fatal(err)
		}
		stay = append(stay, conn)
	}
	// At the accepting end, where the sockets are for both families.
	var count int
	var err error
	var took time.Duration
	n2.do(func() {
		start := time.Now()
		count, err = ResetConnections(n1.v4, n1.v6)
		took = time.Since(start)
	})
	if err != nil || count != len(reset) || took > 250*time.Millisecond {
		t.Errorf("reset %d of %d connections in %v: %v", count, len(reset), took, err)
	}
	for _, c := range reset {
		c.SetDeadline(time.Now().Add(silence))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a reset connection: %v", err)
		}
	}
	for _, c := range stay {
		if err := echoFor(c, patience); err != nil {
			t.Errorf("a connection with another peer: %v", err)
		}
	}
	if _, err := n1.dial(n2.v4, to2); err != nil {
		t.Errorf("a new connection: %v", err)
	}
	n1.do(func() { count, err = ResetConnections(n3.v4) })
	if err != nil || count != 1 {
		t.Errorf("at the dialling end: %d, %v", count, err)
	}
}
