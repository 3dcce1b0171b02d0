package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

func listening(text string) []netip.AddrPort {
	var list []netip.AddrPort
	for _, a := range strings.Fields(text) {
		list = append(list, netip.MustParseAddrPort(a))
	}
	return list
}

func TestForwardingFollowsTheListeners(t *testing.T) {
	for _, tt := range []struct {
		listeners string
		on        bool // our forwarder runs
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
		{"127.0.0.1:4000 10.213.7.2:4000", false, "open"}, // the application itself listens on both
		{"127.0.0.1:4000 10.213.7.2:4000", true, "forwarded"},
		{"[::1]:4000 10.213.7.2:4000", true, "forwarded"},
		{"10.213.7.2:4000", true, "nothing stop"},
		{"0.0.0.0:4000", true, "open"}, // the forwarder ended meanwhile
	} {
		u := useOf(listening(tt.listeners), 4000)
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

func TestOtherPortsAreTold(t *testing.T) {
	at := func(all ...string) (listeners []netip.AddrPort) {
		for _, a := range all {
			listeners = append(listeners, netip.MustParseAddrPort(a))
		}
		return listeners
	}
	for want, listeners := range map[string][]netip.AddrPort{
		"":                            at("127.0.0.11:33211", "0.0.0.0:9100", "[::]:4369"),
		"; it listens on 4000":        at("127.0.0.1:4000", "0.0.0.0:9100", "[::1]:4000"),
		"; it listens on 4000, 15672": at("[::]:4000", "[::]:15672"),
	} {
		if got := elsewhere(listeners, 9100); got != want {
			t.Errorf("%v: %q, want %q", listeners, got, want)
		}
	}
	if got := elsewhere(at("0.0.0.0:1", "0.0.0.0:2", "0.0.0.0:3", "0.0.0.0:4"), 9100); got != "" {
		t.Errorf("many: %q", got)
	}
}

func TestAFailedHTTPCheckIsExplained(t *testing.T) {
	at := sockets{node: orchestrator.NodeSpec{Name: "n1", HTTPPort: 4000}, known: true, listeners: listening("127.0.0.1:4000 0.0.0.0:4001")}
	failed := health.Outcome{Failure: "connection refused", Hint: hint.Text("h")}
	for _, tt := range []struct {
		check orchestrator.Check
		was   health.Outcome
		want  string
	}{
		{orchestrator.Check{HTTP: "/"}, failed, "n1 listens on 127.0.0.1:4000 only, inside its container"},
		{orchestrator.Check{HTTP: "/", Port: 4001}, failed, "connection refused"},
		{orchestrator.Check{HTTP: "/", Port: 4002}, failed, "nothing listens on port 4002 inside n1"},
		{orchestrator.Check{HTTP: "/"}, health.Outcome{Failure: "answered 404 Not Found", Answered: true, Hint: failed.Hint}, "answered 404 Not Found"},
		{orchestrator.Check{RPC: "1"}, failed, "connection refused"},
		{orchestrator.Check{HTTP: "/"}, health.Outcome{}, ""},
	} {
		if got := at.explained(tt.check, tt.was); got.Failure != tt.want || (got.Failure != "" && len(got.Hint) == 0) {
			t.Errorf("%s: %+v, want %q", tt.check, got, tt.want)
		}
	}
	at.known = false
	if got := at.explained(orchestrator.Check{HTTP: "/"}, failed); got.Failure != failed.Failure {
		t.Errorf("listeners unknown: %+v", got)
	}
	at.is = orchestrator.ServingLoopback
	if got := at.unreached(); len(got) != 1 || got[0].Name != "HTTP port 4000" || got[0].Failure == "" || len(got[0].Hint) == 0 {
		t.Errorf("unreached: %+v", got)
	}
	if at.is = orchestrator.ServingForwarded; at.unreached() != nil {
		t.Error("a forwarded port is reported as unreachable")
	}
}

func TestATestNodeIsNotCheckedForWhatItDoesNotServe(t *testing.T) {
	checks := []orchestrator.Check{{HTTP: "/"}, {HTTP: "/", Port: 9000}, {RPC: "1"}}
	for _, tt := range []struct {
		env  string
		is   orchestrator.Serving
		left int
	}{{"test", orchestrator.ServingNothing, 1}, {"test", orchestrator.ServingOpen, 0}, {"test", orchestrator.ServingUnknown, 0}, {"dev", orchestrator.ServingNothing, 0}} {
		asked, left := unserved(orchestrator.NodeSpec{MixEnv: tt.env}, checks, tt.is)
		if len(left) != tt.left || len(asked) != len(checks)-tt.left {
			t.Errorf("%s, %s: asked %v, left out %v", tt.env, tt.is, asked, left)
		}
	}
}

func TestServedPorts(t *testing.T) {
	s := orchestrator.Spec{
		Checks: []orchestrator.Check{{HTTP: "/", Port: 9001}, {HTTP: "/"}},
		Nodes:  []orchestrator.NodeSpec{{Name: "web", Ports: []orchestrator.PortSpec{{Container: 9568}, {Container: 9100}}}, {Name: "worker", HTTPPort: -1}},
	}.Defaulted()
	got := fmt.Sprint(servedPorts(s, "web"), servedPorts(s, "worker"))
	if diff := cmp.Diff("[4000 9568 9001] [9001]", got); diff != "" {
		t.Error(diff)
	}
}

func TestAddressesAsErlangTuples(t *testing.T) {
	for text, want := range map[string]string{"127.0.0.1": "{127, 0, 0, 1}", "::1": "{0, 0, 0, 0, 0, 0, 0, 1}", "fd00::1:2": "{64768, 0, 0, 0, 0, 0, 1, 2}"} {
		if got := erldist.Format(addressTuple(netip.MustParseAddr(text))); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// tablesOf is a node that returns these socket tables.
type tablesOf struct {
	Link
	tcp, tcp6 any
	err       error
}

func (n tablesOf) Call(_ context.Context, _, _ string, args ...any) (any, error) {
	if args[0] == "/proc/net/tcp6" {
		return n.tcp6, n.err
	}
	return n.tcp, n.err
}

func TestListenersAreReadFromTheNode(t *testing.T) {
	table := erldist.Tuple{erldist.Atom("ok"), []byte("0: 0100007F:0FA0 00000000:0000 0A 0 0 0 1000 0 301\n")}
	none := erldist.Tuple{erldist.Atom("error"), erldist.Atom("enoent")}
	if got, known := listenersOf(t.Context(), tablesOf{tcp: table, tcp6: none}); !known || fmt.Sprint(got) != "[127.0.0.1:4000]" {
		t.Errorf("%v, %t", got, known)
	}
	for name, n := range map[string]tablesOf{"another system": {tcp: none, tcp6: none}, "no answer": {err: errors.New("closed")}, "nonsense": {tcp: "x", tcp6: int64(1)}} {
		if _, known := listenersOf(t.Context(), n); known {
			t.Errorf("%s: listeners are known", name)
		}
	}
}
