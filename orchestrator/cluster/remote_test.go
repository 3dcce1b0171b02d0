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

// elsewhere is an engine on another machine.
type elsewhere struct{ orchestrator.Engine }

func (e elsewhere) Info(ctx context.Context) (orchestrator.EngineInfo, error) {
	info, err := e.Engine.Info(ctx)
	info.Local, info.Host = false, "lab"
	return info, err
}

// The ports of a remote engine are ports of its host. A port in use on this machine is
// neither refused nor skipped, and the nodes are dialled at that host.
func TestPortsOfARemoteEngine(t *testing.T) {
	busy, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	port := busy.Addr().(*net.TCPAddr).Port
	for name, edit := range map[string]func(*orchestrator.Spec){
		"named by the user": func(s *orchestrator.Spec) { s.Nodes[0].HostPort = port },
		"looked for":        func(s *orchestrator.Spec) { s.HostPort = port },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.runOn(elsewhere{w.eng}, edit, cluster.Options{})
				w.ready()
				n := w.node("n1")
				want := fmt.Sprintf("http://lab:%d", port)
				if n.URL != want {
					t.Errorf("supervised: %s, want %s", n.URL, want)
				}
				found, err := discovery.Find(t.Context(), elsewhere{w.eng}, "shop")
				if n, _ := found.Node("n1"); err != nil || n.URL != want {
					t.Errorf("without a supervisor: %s, %v, want %s", n.URL, err, want)
				}
				w.end()
			})
		})
	}
}
