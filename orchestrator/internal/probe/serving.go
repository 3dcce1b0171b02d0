package probe

import (
	"context"
	_ "embed"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/reach"
)

// This file handles what listens in a node's container, and applications that listen only
// on 127.0.0.1, as every Phoenix project does in dev: published ports do not reach them
// there. A forwarder makes them reachable. It is a process of the node's own VM that
// listens on the container's own addresses, at the same port, and forwards connections.
//
//	127.0.0.1:4200 ─ engine ─► 10.213.7.2:4000 ─ forwarder ─► 127.0.0.1:4000
//
// It runs in the VM, although that is the user's, because the alternatives are worse:
//
//   - A helper container in the node's network namespace (NetworkMode container:ID)
//     doubles the containers of every Phoenix project, keeps the namespace of a node
//     that ended, and must be created again after each restart, by a supervisor that may
//     be gone.
//   - A program started with `docker exec` must be in the image.
//   - A rule of the kernel (DNAT to 127.0.0.1) needs route_localnet, a capability, and
//     a kernel with the module, and cannot translate from IPv4 to ::1.
//
// A process of the VM ends with it, needs nothing in the image and works without a
// supervisor. No module is loaded (forward.erl is interpreted), so comparisons of the
// loaded code stay equal. The supervisor starts it again for each run of the node. It
// watches the application's socket, and closes its own at once when that closes: an
// application that then listens on every address must find the port free.

// listenersOf asks a node for the addresses that are listened on in its container. ok is
// false if it cannot tell, as on systems other than Linux.
func listenersOf(ctx context.Context, conn Link) (found []netip.AddrPort, ok bool) {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		reply, err := conn.Call(ctx, "prim_file", "read_file", table)
		t, _ := reply.(erldist.Tuple)
		if err != nil || len(t) != 2 || t[0] != any(erldist.Atom("ok")) {
			continue // without IPv6 there is no tcp6
		}
		text, _ := t[1].([]byte)
		found, ok = append(found, network.Listeners(strings.NewReader(string(text)))...), true
	}
	return found, ok
}

// portUse says what listens on one port of a container.
type portUse struct {
	loopback netip.Addr // the loopback address it listens on; the zero value: none
	open     bool       // it listens on a reachable address
	own      bool       // on one of the container's own addresses, not on all: a forwarder does that
}

func useOf(listeners []netip.AddrPort, port int) portUse {
	var u portUse
	for _, l := range listeners {
		switch a := l.Addr(); {
		case int(l.Port()) != port:
		case a.IsLoopback():
			if !u.loopback.IsValid() || a.Is4() {
				u.loopback = a
			}
		default:
			u.open = true
			u.own = u.own || a.Is4() && !a.IsUnspecified()
		}
	}
	return u
}

// engineDNS is where Docker's DNS server listens in each container.
var engineDNS = netip.MustParseAddr("127.0.0.11")

// elsewhere says on which other ports an application listens, as the end of a sentence. The HTTP port
// of the spec may be another than the application's.
func elsewhere(listeners []netip.AddrPort, distribution int) string {
	var ports []string
	for _, l := range listeners {
		port := strconv.Itoa(int(l.Port()))
		if l.Addr() != engineDNS && int(l.Port()) != distribution && l.Port() != reach.EPMDPort && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	if len(ports) == 0 || len(ports) > 3 {
		return ""
	}
	return "; it listens on " + strings.Join(ports, ", ")
}

// forwarding returns a port's current state, and whether to start or stop a forwarder. on
// says whether one of our forwarders holds the port.
func (u portUse) forwarding(on bool) (is orchestrator.Serving, start, stop bool) {
	switch {
	case on && u.own && u.loopback.IsValid():
		return orchestrator.ServingForwarded, false, false
	case on && u.own:
		return orchestrator.ServingNothing, false, true
	case u.open:
		return orchestrator.ServingOpen, false, false
	case u.loopback.IsValid():
		return orchestrator.ServingLoopback, true, false
	}
	return orchestrator.ServingNothing, false, false
}

//go:embed forward.erl
var forwardExpression string

// forwarderName returns the registered name of the process that forwards a port.
func forwarderName(port int) erldist.Atom {
	return erldist.Atom("beamyard_forward_" + strconv.Itoa(port))
}

// forwards reports whether one of our forwarders runs on a node.
func forwards(ctx context.Context, conn Link, port int) bool {
	reply, err := conn.Call(ctx, "erlang", "whereis", forwarderName(port))
	return err == nil && reply != any(erldist.Atom("undefined"))
}

// startForwarder makes a node forward a port to the address that its application listens
// on.
func startForwarder(ctx context.Context, conn Link, to netip.AddrPort) error {
	port := int(to.Port())
	reply, err := conn.Eval(ctx, forwardExpression, map[string]any{"Port": int64(port), "Name": forwarderName(port), "To": addressTuple(to.Addr())})
	if err != nil {
		return err
	}
	if reply != any(erldist.Atom("ok")) {
		return fmt.Errorf("the forwarder does not start: %s", erldist.Format(reply))
	}
	return nil
}

// stopForwarder stops a forwarder. Its open connections stay.
func stopForwarder(ctx context.Context, conn Link, port int) {
	_, _ = conn.Call(ctx, "erlang", "send", forwarderName(port), erldist.Atom("stop")) // it may have ended
}

// addressTuple returns an address in Erlang's form. Source: inet(3), ip_address().
func addressTuple(a netip.Addr) erldist.Tuple {
	var t erldist.Tuple
	if a.Is4() {
		for _, b := range a.As4() {
			t = append(t, int64(b))
		}
		return t
	}
	raw := a.As16()
	for i := 0; i < len(raw); i += 2 {
		t = append(t, int64(raw[i])<<8|int64(raw[i+1]))
	}
	return t
}

// servedPorts returns the ports of a node that may be used from outside its container:
// its HTTP port first, if it has one.
func servedPorts(s orchestrator.Spec, node string) []int {
	n := s.Node(node)
	var ports []int
	add := func(port int) {
		if port > 0 && port != s.Distribution.Port && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	add(n.HTTPPort)
	for _, p := range n.Ports {
		add(p.Container)
	}
	for _, k := range slices.Concat(n.Ready, n.Checks) {
		add(k.Port)
	}
	return ports
}

// httpPortOf returns the port of an HTTP check.
func httpPortOf(k orchestrator.Check, n orchestrator.NodeSpec) int {
	if k.Port != 0 {
		return k.Port
	}
	return n.HTTPPort
}

// unserved separates the HTTP checks that do not apply to a node: in MIX_ENV=test,
// Phoenix serves nothing unless configured to, and a check of the dev server is not part
// of a suite. A check with its own port always applies.
func unserved(n orchestrator.NodeSpec, checks []orchestrator.Check, is orchestrator.Serving) (asked, left []orchestrator.Check) {
	for _, k := range checks {
		if n.MixEnv == "test" && is == orchestrator.ServingNothing && k.HTTP != "" && k.Port == 0 {
			left = append(left, k)
		} else {
			asked = append(asked, k)
		}
	}
	return asked, left
}

// whyNoAnswer returns why an HTTP check got no answer, from what listens in the
// container; "" if that does not explain it.
func whyNoAnswer(listeners []netip.AddrPort, node string, port int) (failure string, next hint.Hint) {
	u := useOf(listeners, port)
	switch {
	case u.open:
		return "", nil
	case u.loopback.IsValid():
		return fmt.Sprintf("%s listens on %s only, inside its container", node, netip.AddrPortFrom(u.loopback, uint16(port))),
			hint.Newf("have it listen on 0.0.0.0:%d, or set %s", port, hint.Setting("loopback: forward"))
	}
	return fmt.Sprintf("nothing listens on port %d inside %s", port, node),
		hint.Newf("the application must listen on $PORT; a node that serves no HTTP says so: %s", hint.SettingOf(node, "http_port: -1"))
}
