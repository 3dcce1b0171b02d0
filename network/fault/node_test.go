package fault

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestFaultsOfNodes(t *testing.T) {
	names := []string{"n1", "n2", "n3"}
	for _, test := range []struct {
		f    Fault
		text string
		err  string
	}{
		{Fault{Kind: KindDNS, Nodes: []string{"n1"}, DNS: DNS{Answers: NoAnswers}}, "dns n1, no answers for all peers", ""},
		{Fault{Kind: KindDNS, Nodes: []string{"n1", "n2"}, DNS: DNS{Answers: StaleAnswers, Peers: []string{"n3"}}}, "dns n1 n2, stale answers for n3", ""},
		{Fault{Kind: KindClock, Nodes: []string{"n1"}, Clock: Clock{Bump: -time.Minute, Drift: 1.02, Strobe: 200 * time.Millisecond}}, "clock n1, bump -1m0s, drift 1.02, strobe 200ms", ""},
		{Fault{Kind: KindSqueeze, Nodes: []string{"n1"}, Limits: Limits{Memory: 96 << 20, CPUs: 0.1, Full: []string{"/data"}}}, "squeeze n1, memory 96 MiB, cpus 0.1, full /data", ""},
		{Fault{Kind: KindPartition, Groups: [][]string{{"n1"}}, How: Disconnect}, "partition n1 | the rest, disconnect", ""},

		{Fault{Kind: KindPartition, Groups: [][]string{{"n1"}}, How: Disconnect, Hard: true}, "", "does not cut off the host"},
		{Fault{Kind: KindDNS, Nodes: []string{"n1"}}, "", `unknown answers ""`},
		{Fault{Kind: KindDNS, Nodes: []string{"n9"}, DNS: DNS{Answers: NoAnswers}}, "", `unknown node "n9"`},
		{Fault{Kind: KindDNS, Nodes: []string{"n1"}, DNS: DNS{Answers: NoAnswers, Peers: []string{"n9"}}}, "", `unknown node "n9"`},
		{Fault{Kind: KindDNS, DNS: DNS{Answers: NoAnswers}}, "", "needs a node"},
		{Fault{Kind: KindClock, Nodes: []string{"n1", "n1"}, Clock: Clock{Bump: 1}}, "", "named twice"},
		{Fault{Kind: KindClock, Nodes: []string{"n1"}}, "", "a clock fault needs a bump"},
		{Fault{Kind: KindClock, Nodes: []string{"n1"}, Clock: Clock{Drift: 11}}, "", "drift 11"},
		{Fault{Kind: KindClock, Nodes: []string{"n1"}, Clock: Clock{Bump: 2 * MaxBump}}, "", "3650 days"},
		{Fault{Kind: KindSqueeze, Nodes: []string{"n1"}}, "", "nothing is limited"},
		{Fault{Kind: KindSqueeze, Nodes: []string{"n1"}, Limits: Limits{Memory: 1}}, "", "at least 6291456 bytes"},
		{Fault{Kind: KindSqueeze, Nodes: []string{"n1"}, Limits: Limits{CPUs: -1}}, "", "cpus -1"},
		{Fault{Kind: KindSqueeze, Nodes: []string{"n1"}, Limits: Limits{Full: []string{"data"}}}, "", "absolute path"},
		{Fault{Kind: KindSqueeze, Nodes: []string{"n1"}, How: Reset, Limits: Limits{CPUs: 1}}, "", "cuts nothing"},
	} {
		err := test.f.Validate(names)
		switch {
		case test.err == "" && err != nil:
			t.Errorf("%s: %v", test.f, err)
		case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
			t.Errorf("%s: %v, want %q", test.f, err, test.err)
		case test.err == "" && test.f.String() != test.text:
			t.Errorf("%q, want %q", test.f, test.text)
		}
	}
}

func TestClockOffset(t *testing.T) {
	for _, test := range []struct {
		clock   Clock
		elapsed time.Duration
		want    time.Duration
	}{
		{Clock{Bump: 30 * time.Second}, time.Hour, 30 * time.Second},
		{Clock{Drift: 1.5}, 10 * time.Second, 5 * time.Second},
		{Clock{Drift: 0.5}, 10 * time.Second, -5 * time.Second},
		{Clock{Strobe: time.Second}, 500 * time.Millisecond, time.Second},
		{Clock{Strobe: time.Second}, 1500 * time.Millisecond, 0},
		{Clock{Bump: time.Minute, Drift: 2, Strobe: time.Second}, 2 * time.Second, 63 * time.Second},
	} {
		if got := test.clock.Offset(test.elapsed); got != test.want {
			t.Errorf("%+v after %v: %v, want %v", test.clock, test.elapsed, got, test.want)
		}
	}
}

func TestLimitsOf(t *testing.T) {
	now := time.Unix(1000, 0)
	squeeze := func(l Limits, nodes ...string) Fault { return Fault{Kind: KindSqueeze, Limits: l, Nodes: nodes} }
	ended := squeeze(Limits{Memory: 1}, "n1")
	ended.End = now
	all := []Fault{squeeze(Limits{Memory: 50, Full: []string{"/b"}}, "n1"), squeeze(Limits{CPUs: 0.5, Full: []string{"/a", "/b"}}, "n2", "n1"), ended}
	got := LimitsOf("n1", Limits{Memory: 80}, all, now)
	if got.Memory != 50 || got.CPUs != 0.5 || !slices.Equal(got.Full, []string{"/a", "/b"}) {
		t.Errorf("%+v", got)
	}
	if got := LimitsOf("n1", Limits{Memory: 40, CPUs: 0.1}, all, now); got.Memory != 40 || got.CPUs != 0.1 {
		t.Errorf("a squeeze raises a limit: %+v", got)
	}
	if got := LimitsOf("n3", Limits{CPUs: 2}, all, now); got.CPUs != 2 || got.Memory != 0 || got.Full != nil {
		t.Errorf("another node: %+v", got)
	}
}

// What the VMs refuse needs no rule of the kernel, and what the kernel cuts needs no cookie.
func TestDisconnects(t *testing.T) {
	now := time.Unix(1000, 0)
	names := []string{"n1", "n2", "n3"}
	f := Isolate("n1")
	f.How, f.End = Disconnect, now.Add(time.Minute)
	oneWay := OneWay(Pair{"n2", "n1"})
	oneWay.How = Disconnect
	var nodes []Node
	for _, n := range names {
		nodes = append(nodes, Node{Name: n, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0." + n[1:])}})
	}
	for n, r := range Plan(nodes, []Fault{f, oneWay}, now) {
		if !r.Empty() {
			t.Errorf("rules of %s: %s", n, r)
		}
	}
}

func TestAnswers(t *testing.T) {
	now := time.Unix(1000, 0)
	var nodes []Node
	for _, n := range []string{"n1", "n2", "n3"} {
		nodes = append(nodes, Node{Name: n, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0." + n[1:])}, Stale: netip.MustParseAddr("10.0.0.10" + n[1:])})
	}
	stale := Fault{Kind: KindDNS, Nodes: []string{"n1", "n3"}, DNS: DNS{Answers: StaleAnswers}, End: now.Add(time.Minute)}
	none := Fault{Kind: KindDNS, Nodes: []string{"n1"}, DNS: DNS{Answers: NoAnswers, Peers: []string{"n2"}}}
	got := AnswersOf(nodes, []Fault{stale, none}, now)
	want := map[string][]Answer{
		"n1": {{nodes[1].Addrs[0], netip.Addr{}, time.Time{}}, {nodes[1].Addrs[0], nodes[1].Stale, stale.End.UTC()}, {nodes[2].Addrs[0], nodes[2].Stale, stale.End.UTC()}},
		"n3": {{nodes[0].Addrs[0], nodes[0].Stale, stale.End.UTC()}, {nodes[1].Addrs[0], nodes[1].Stale, stale.End.UTC()}},
	}
	for _, n := range nodes {
		if !slices.Equal(got[n.Name], want[n.Name]) {
			t.Errorf("%s is told %v, want %v", n.Name, got[n.Name], want[n.Name])
		}
	}
	plan := Plan(nodes, []Fault{stale, none}, now)
	if r := plan["n1"].Resolver; !r.Ours || !r.Until.IsZero() {
		t.Errorf("the resolver of n1: %+v", r)
	}
	if r := plan["n3"].Resolver; !r.Ours || !r.Until.Equal(stale.End) {
		t.Errorf("the resolver of n3: %+v", r)
	}
	if r := plan["n2"]; !r.Empty() {
		t.Errorf("n2: %s", r)
	}
}

func response(t testing.TB, name string, answers ...dnsmessage.ResourceBody) []byte {
	t.Helper()
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, Response: true}}
	n := dnsmessage.MustNewName(name)
	m.Questions = []dnsmessage.Question{{Name: n, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}
	for _, body := range answers {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: n, Class: dnsmessage.ClassINET}, Body: body})
	}
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func TestRewrite(t *testing.T) {
	now := time.Unix(1000, 0)
	n2, n3, old := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("10.0.0.99")
	six := netip.MustParseAddr("fd00::2")
	answers := []Answer{{Peer: n2}, {Peer: n3, Stale: old}, {Peer: six, Stale: old}, {Peer: old, Until: now}}
	a := func(addr netip.Addr) dnsmessage.ResourceBody { return &dnsmessage.AResource{A: addr.As4()} }
	for _, test := range []struct {
		about string
		got   []byte
		want  []byte
	}{
		{"a name of a hidden peer", response(t, "n2.demo.test.", a(n2)), nil},
		{"a stale one", response(t, "n3.demo.test.", a(n3)), response(t, "n3.demo.test.", a(old))},
		{"the name of all", response(t, "demo.test.", a(n2), a(n3), a(netip.MustParseAddr("10.0.0.4"))), response(t, "demo.test.", a(old), a(netip.MustParseAddr("10.0.0.4")))},
		{"another name", response(t, "example.org.", a(netip.MustParseAddr("192.0.2.1"))), response(t, "example.org.", a(netip.MustParseAddr("192.0.2.1")))},
		{"an answer that has ended", response(t, "x.test.", a(old)), response(t, "x.test.", a(old))},
		{"an address of the other family", response(t, "n2.demo.test.", &dnsmessage.AAAAResource{AAAA: six.As16()}), nil},
		{"the name of an address", response(t, "2.0.0.10.in-addr.arpa.", &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("n2.demo.test.")}), nil},
		{"no message", []byte("hello"), []byte("hello")},
	} {
		got := Rewrite(test.got, answers, now)
		if test.want == nil {
			var m dnsmessage.Message
			if err := m.Unpack(got); err != nil || m.RCode != dnsmessage.RCodeNameError || len(m.Answers) > 0 || m.ID != 7 || len(m.Questions) != 1 {
				t.Errorf("%s: %v, %+v", test.about, err, m)
			}
			continue
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.about, got, test.want)
		}
	}
}

// A node can send any bytes.
func FuzzRewrite(f *testing.F) {
	f.Add(response(f, "n2.demo.test.", &dnsmessage.AResource{A: [4]byte{10, 0, 0, 2}}))
	f.Add([]byte{})
	answers := []Answer{{Peer: netip.MustParseAddr("10.0.0.2")}, {Peer: netip.MustParseAddr("0.0.0.0"), Stale: netip.MustParseAddr("10.0.0.9")}}
	f.Fuzz(func(t *testing.T, message []byte) {
		rewritten := Rewrite(message, answers, time.Unix(0, 0))
		var before, after dnsmessage.Message
		if before.Unpack(message) == nil && (after.Unpack(rewritten) != nil || before.ID != after.ID || len(after.Answers) > len(before.Answers)) {
			t.Errorf("%q became %q", message, rewritten)
		}
		refused(message)
	})
}
