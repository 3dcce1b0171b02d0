package cluster_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// elsewhere is an engine on another machine, which publishes ports at an address of it. Package hosts
// has the same for several machines.
type elsewhere struct {
	orchestrator.Engine
	publish   string
	tunnelled bool
}

func (e elsewhere) Info(ctx context.Context) (orchestrator.EngineInfo, error) {
	info, err := e.Engine.Info(ctx)
	info.Local, info.Host, info.Publish, info.Tunnelled = false, "lab", e.publish, e.tunnelled
	return info, err
}

// busyPort returns a port that this process listens on, at every address of this machine.
func busyPort(t *testing.T) int {
	t.Helper()
	busy, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() })
	return busy.Addr().(*net.TCPAddr).Port
}

// The ports of a remote engine are ports of its host. A port in use on this machine is
// neither refused nor skipped. The nodes are dialled at the address of that host that they are
// published at, or at its name if that is every address.
func TestPortsOfARemoteEngine(t *testing.T) {
	port := busyPort(t)
	for name, tt := range map[string]struct {
		edit    func(*orchestrator.Spec)
		publish string
		host    string
	}{
		"named by the user": {func(s *orchestrator.Spec) { s.Nodes[0].HostPort = port }, "10.0.0.7", "10.0.0.7"},
		"looked for":        {func(s *orchestrator.Spec) { s.HostPort = port }, "10.0.0.7", "10.0.0.7"},
		"at every address":  {func(s *orchestrator.Spec) { s.HostPort = port }, "0.0.0.0", "lab"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				eng := elsewhere{Engine: w.eng, publish: tt.publish}
				w.runOn(eng, tt.edit, cluster.Options{})
				w.ready()
				n := w.node("n1")
				want := fmt.Sprintf("http://%s:%d", tt.host, port)
				if n.URL != want || n.Ports[0].HostIP != tt.publish {
					t.Errorf("supervised: %s, published at %s, want %s", n.URL, n.Ports[0].HostIP, want)
				}
				found, err := discovery.Find(t.Context(), eng, "shop")
				if n, _ := found.Node("n1"); err != nil || n.URL != want {
					t.Errorf("without a supervisor: %s, %v, want %s", n.URL, err, want)
				}
				w.end()
			})
		})
	}
}

// What the other tests of this package see does not depend on the ports that are in use on this machine.
func TestPortsOfTheInMemoryEngine(t *testing.T) {
	port := busyPort(t)
	bubble(t, func(t *testing.T, w *world) {
		w.up(func(s *orchestrator.Spec) { s.HostPort = port })
		if n := w.node("n1"); n.HTTPPort != port {
			t.Errorf("n1 has port %d, not %d", n.HTTPPort, port)
		}
		w.end()
	})
}

// The ports of an engine behind a tunnel are also ports of this machine: one that is in use here is
// not taken.
func TestPortsOfATunnelledEngine(t *testing.T) {
	port := busyPort(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runOn(elsewhere{w.eng, "127.0.0.1", true}, func(s *orchestrator.Spec) { s.HostPort = port }, cluster.Options{})
		w.ready()
		for _, name := range []string{"n1", "n2"} {
			n := w.node(name)
			if n.HTTPPort <= port || n.URL != fmt.Sprintf("http://127.0.0.1:%d", n.HTTPPort) {
				t.Errorf("%s is at %s, with port %d in use here", name, n.URL, port)
			}
		}
		w.end()
	})
}
