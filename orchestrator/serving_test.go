package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/health"
)

func addresses(text string) []netip.AddrPort {
	var list []netip.AddrPort
	for _, a := range strings.Fields(text) {
		list = append(list, netip.MustParseAddrPort(a))
	}
	return list
}

func TestWhatListensSaysWhatIsForwarded(t *testing.T) {
	for _, tt := range []struct {
		listeners string
		on        bool // a forwarder of ours runs
		want      string
	}{
		{"", false, "nothing"},
		{"127.0.0.1:4001 0.0.0.0:9100", false, "nothing"},
		{"0.0.0.0:4000", false, "open"},
		{"[::]:4000", false, "open"},
		{"10.213.7.2:4000", false, "open"},
		{"127.0.0.1:4000", false, "loopback start to 127.0.0.1"},
		{"[::1]:4000", false, "loopback start to ::1"},
		{"[::1]:4000 127.0.0.1:4000", false, "loopback start to 127.0.0.1"},
		{"127.0.0.1:4000 10.213.7.2:4000", false, "open"}, // the application's own doing
		{"127.0.0.1:4000 10.213.7.2:4000", true, "forwarded"},
		{"[::1]:4000 10.213.7.2:4000", true, "forwarded"},
		{"10.213.7.2:4000", true, "nothing stop"},
		{"0.0.0.0:4000", true, "open"}, // it ended meanwhile
	} {
		u := useOf(addresses(tt.listeners), 4000)
		is, start, stop := u.forwarding(tt.on)
		got := string(is)
		if start {
			got += " start to " + u.loopback.String()
		}
		if stop {
			got += " stop"
		}
		if got != tt.want {
			t.Errorf("%q, %t: %s, want %s", tt.listeners, tt.on, got, tt.want)
		}
	}
}

func TestOnlyWhatIsReachedHasAURL(t *testing.T) {
	want := map[Serving]bool{ServingUnknown: true, ServingOpen: true, ServingForwarded: true, ServingLoopback: false, ServingNothing: false}
	for is, url := range want {
		m := &member{name: "n1", serving: is, at: placement{ports: []PortBinding{{Container: 4000, HostIP: "127.0.0.1", Host: 4200}}}}
		st := m.status(Spec{Name: "shop", Nodes: NodeNames(1)}.Defaulted(), "", time.Unix(1e9, 0))
		if (st.URL != "") != url || st.Serving != is {
			t.Errorf("%q: URL %q, %q", is, st.URL, st.Serving)
		}
	}
}

func TestWhyACheckByHTTPHasNoAnswer(t *testing.T) {
	at := sockets{node: NodeSpec{Name: "n1", HTTPPort: 4000}, known: true, listeners: addresses("127.0.0.1:4000 0.0.0.0:4001")}
	failed := health.Outcome{Failure: "connection refused", Hint: "h"}
	for _, tt := range []struct {
		check Check
		was   health.Outcome
		want  string
	}{
		{Check{HTTP: "/"}, failed, "n1 listens on 127.0.0.1:4000 only, inside its container"},
		{Check{HTTP: "/", Port: 4001}, failed, "connection refused"},
		{Check{HTTP: "/", Port: 4002}, failed, "nothing listens on port 4002 inside n1"},
		{Check{RPC: "1"}, failed, "connection refused"},
		{Check{HTTP: "/"}, health.Outcome{}, ""},
	} {
		if got := at.explained(tt.check, tt.was); got.Failure != tt.want || (got.Failure != "" && got.Hint == "") {
			t.Errorf("%s: %+v, want %q", tt.check, got, tt.want)
		}
	}
	at.known = false
	if got := at.explained(Check{HTTP: "/"}, failed); got.Failure != failed.Failure {
		t.Errorf("not known: %+v", got)
	}
	at.is = ServingLoopback
	if got := at.unreached(); len(got) != 1 || got[0].Name != "HTTP port 4000" || got[0].Failure == "" || got[0].Hint == "" {
		t.Errorf("unreached: %+v", got)
	}
	if at.is = ServingForwarded; at.unreached() != nil {
		t.Error("it is reached")
	}
}

func TestATestNodeIsNotAskedWhatItDoesNotServe(t *testing.T) {
	checks := []Check{{HTTP: "/"}, {HTTP: "/", Port: 9000}, {RPC: "1"}}
	for _, tt := range []struct {
		env  string
		is   Serving
		left int
	}{{"test", ServingNothing, 1}, {"test", ServingOpen, 0}, {"test", ServingUnknown, 0}, {"dev", ServingNothing, 0}} {
		asked, left := unserved(NodeSpec{MixEnv: tt.env}, checks, tt.is)
		if len(left) != tt.left || len(asked) != len(checks)-tt.left {
			t.Errorf("%s, %s: asked %v, left out %v", tt.env, tt.is, asked, left)
		}
	}
}

func TestServedPorts(t *testing.T) {
	s := Spec{
		Checks: []Check{{HTTP: "/", Port: 9001}, {HTTP: "/"}},
		Nodes:  []NodeSpec{{Name: "web", Ports: []PortSpec{{Container: 9568}, {Container: 9100}}}, {Name: "worker", HTTPPort: -1}},
	}.Defaulted()
	got := fmt.Sprint(s.servedPorts("web"), s.servedPorts("worker"))
	if diff := cmp.Diff("[4000 9568 9001] [9001]", got); diff != "" {
		t.Error(diff)
	}
}

func TestAddressesAsErlangHasThem(t *testing.T) {
	for text, want := range map[string]string{"127.0.0.1": "{127, 0, 0, 1}", "::1": "{0, 0, 0, 0, 0, 0, 0, 1}", "fd00::1:2": "{64768, 0, 0, 0, 0, 0, 1, 2}"} {
		if got := erldist.Format(addressTuple(netip.MustParseAddr(text))); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// tablesOf plays a node that tells its tables.
type tablesOf struct {
	link
	tcp, tcp6 any
	err       error
}

func (n tablesOf) Call(_ context.Context, _, _ string, args ...any) (any, error) {
	if args[0] == "/proc/net/tcp6" {
		return n.tcp6, n.err
	}
	return n.tcp, n.err
}

func TestANodeTellsWhatListens(t *testing.T) {
	table := erldist.Tuple{erldist.Atom("ok"), []byte("0: 0100007F:0FA0 00000000:0000 0A 0 0 0 1000 0 301\n")}
	none := erldist.Tuple{erldist.Atom("error"), erldist.Atom("enoent")}
	if got, known := listenersOf(t.Context(), tablesOf{tcp: table, tcp6: none}); !known || fmt.Sprint(got) != "[127.0.0.1:4000]" {
		t.Errorf("%v, %t", got, known)
	}
	for name, n := range map[string]tablesOf{"another system": {tcp: none, tcp6: none}, "no answer": {err: errors.New("closed")}, "nonsense": {tcp: "x", tcp6: int64(1)}} {
		if _, known := listenersOf(t.Context(), n); known {
			t.Errorf("%s: it is known", name)
		}
	}
}

// Every node of a project listens where the others do.
func TestLoopbackIsToldOnce(t *testing.T) {
	s := newSupervisor(Spec{Name: "shop", Nodes: NodeNames(2)}.Defaulted(), func() float64 { return 0 })
	news := []loopbackNews{{at: netip.MustParseAddrPort("127.0.0.1:4000"), forwarded: true}}
	var told []string
	for _, m := range s.nodes {
		for _, a := range s.step(msgServing{m.report(), ServingForwarded, news}, time.Unix(1e9, 0)) {
			if e, ok := a.(actEmit); ok {
				told = append(told, e.event.Text)
			}
		}
		if m.serving != ServingForwarded {
			t.Errorf("%s is %q", m.name, m.serving)
		}
	}
	want := []string{"n1 listens on 127.0.0.1:4000 only, inside its container: port 4000 is forwarded there (have it listen on 0.0.0.0 to do without)"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	s.step(msgServing{report{"n1", 7}, ServingNothing, nil}, time.Unix(1e9, 0))
	if s.byName["n1"].serving != ServingForwarded {
		t.Error("a report of another run was taken")
	}
}
