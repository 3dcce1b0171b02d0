package orchestrator

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
)

// This file is about what listens in a node's container, and about applications that
// listen on 127.0.0.1 alone, as every Phoenix project does in dev: nothing that is
// published reaches them there. A forwarder does: a process of the node's own VM that
// listens on the container's own addresses, at the same port, and hands connections on.
//
//	127.0.0.1:4200 ─ engine ─► 10.213.7.2:4000 ─ forwarder ─► 127.0.0.1:4000
//
// It is in the VM, although that is the user's, because of what else there is:
//
//   - A helper container in the node's network namespace (NetworkMode container:ID)
//     doubles the containers of every Phoenix project, keeps the namespace of a node
//     that ended, and is to be made again after each restart, by a supervisor that may
//     be gone.
//   - A program by `docker exec` has to be in the image.
//   - A rule of the kernel (DNAT to 127.0.0.1) needs route_localnet, a capability, and
//     a kernel with the module, and knows no way from IPv4 to ::1.
//
// A process of the VM ends with it, needs nothing of the image and works without a
// supervisor. No module is loaded (forward.erl is interpreted), so that what is compared
// of code stays equal. The supervisor makes it again for each run of the node. It
// watches the application's socket, and gives its own up at once when that closes: an
// application that then listens on every address must find the port free.

// listenersOf asks a node which addresses something listens on in its container. ok is
// false where it cannot tell, as on another system than Linux.
func listenersOf(ctx context.Context, conn link) (found []netip.AddrPort, ok bool) {
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

// portUse is what listens at one port of a container.
type portUse struct {
	loopback netip.Addr // where it listens on loopback; the zero value: it does not
	open     bool       // it listens on an address that is reached
	own      bool       // on an address of the container's own, not on every one: a forwarder does that
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

// forwarding says what is to be done about a port, and what it is before that. on is
// whether a forwarder of ours holds it.
func (u portUse) forwarding(on bool) (is Serving, start, stop bool) {
	switch {
	case on && u.own && u.loopback.IsValid():
		return ServingForwarded, false, false
	case on && u.own:
		return ServingNothing, false, true
	case u.open:
		return ServingOpen, false, false
	case u.loopback.IsValid():
		return ServingLoopback, true, false
	}
	return ServingNothing, false, false
}

//go:embed forward.erl
var forwardExpression string

// forwarderName is the registered name of the process that forwards a port.
func forwarderName(port int) erldist.Atom {
	return erldist.Atom("beamyard_forward_" + strconv.Itoa(port))
}

// forwards tells whether a forwarder of ours runs on a node.
func forwards(ctx context.Context, conn link, port int) bool {
	reply, err := conn.Call(ctx, "erlang", "whereis", forwarderName(port))
	return err == nil && reply != any(erldist.Atom("undefined"))
}

// startForwarder has a node forward a port to where its application listens.
func startForwarder(ctx context.Context, conn link, to netip.AddrPort) error {
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

// stopForwarder ends one. Connections that it has stay.
func stopForwarder(ctx context.Context, conn link, port int) {
	_, _ = conn.Call(ctx, "erlang", "send", forwarderName(port), erldist.Atom("stop")) // it may have ended
}

// addressTuple is an address as Erlang has it. Source: inet(3), ip_address().
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

// servedPorts are the ports of a node that somebody outside of its container may want:
// its HTTP port first, where it has one.
func (s Spec) servedPorts(node string) []int {
	n := s.of(node)
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

// httpPort is the port that a check by HTTP asks.
func (k Check) httpPort(n NodeSpec) int {
	if k.Port != 0 {
		return k.Port
	}
	return n.HTTPPort
}

// unserved takes out the checks by HTTP that a node is not asked: in MIX_ENV=test
// Phoenix serves nothing unless it is told to, and what dev serves is no check of a
// suite. One that has a port of its own is meant.
func unserved(n NodeSpec, checks []Check, is Serving) (asked, left []Check) {
	for _, k := range checks {
		if n.MixEnv == "test" && is == ServingNothing && k.HTTP != "" && k.Port == 0 {
			left = append(left, k)
		} else {
			asked = append(asked, k)
		}
	}
	return asked, left
}

// whyNoAnswer says why a check by HTTP has no answer, by what listens in the container;
// "" where that tells nothing.
func whyNoAnswer(listeners []netip.AddrPort, node string, port int) (failure, hint string) {
	u := useOf(listeners, port)
	switch {
	case u.open:
		return "", ""
	case u.loopback.IsValid():
		return fmt.Sprintf("%s listens on %s only, inside its container", node, netip.AddrPortFrom(u.loopback, uint16(port))),
			fmt.Sprintf("have it listen on 0.0.0.0:%d, or leave `loopback: leave` out of beamyard.yml", port)
	}
	return fmt.Sprintf("nothing listens on port %d inside %s", port, node),
		"the application must listen on $PORT; a node that serves no HTTP says so in beamyard.yml: nodes: [{name: " + node + ", http_port: -1}]"
}
