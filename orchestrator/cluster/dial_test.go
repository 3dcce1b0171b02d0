package cluster_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/internal/probe"
)

// Dial uses the same addresses as the supervisor, and only for running nodes.
func TestReachUsesTheSupervisorsAddresses(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		dialled := map[string]string{}
		spec := orchestrator.Spec{Name: "shop", Image: "shop:1", App: "shop", Nodes: orchestrator.NodeNames(2), HostPort: 24200}
		c, err := cluster.New(spec, w.eng, cluster.Options{}.WithDial(func(ctx context.Context, node, addr string) (probe.Link, error) {
			mu.Lock()
			dialled[node] = addr
			mu.Unlock()
			return w.vms.dial(ctx, node, addr)
		}))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Reach("n1"); !errors.Is(err, orchestrator.ErrNotRunning) {
			t.Errorf("before it runs: %v", err)
		}
		w.keep(c)
		w.ready()

		reached := map[string]string{}
		for _, name := range []string{"n1", "n2"} {
			node, addr, err := c.Reach(name)
			if err != nil {
				t.Fatal(err)
			}
			reached[node] = addr
		}
		mu.Lock()
		if !maps.Equal(reached, dialled) {
			t.Errorf("Reach returned %v, the supervisor dialled %v", reached, dialled)
		}
		mu.Unlock()

		_, err = c.Dial(t.Context(), "n9")
		if !errors.Is(err, orchestrator.ErrNoNode) || orchestrator.HintOf(err).String() != "cluster shop has n1, n2" {
			t.Errorf("an unknown node: %v", err)
		}
		w.eng.Pause(w.container("n1"))
		w.untilState("n1", orchestrator.Degraded)
		if _, err := c.Dial(t.Context(), "n1"); !errors.Is(err, orchestrator.ErrNotRunning) || orchestrator.HintOf(err).String() != "beamyard unpause shop/n1" {
			t.Errorf("a paused node: %v", err)
		}
		if err := w.Stop(t.Context(), "n2"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Dial(t.Context(), "n2"); !errors.Is(err, orchestrator.ErrNotRunning) || orchestrator.HintOf(err).String() != "beamyard start shop/n2" {
			t.Errorf("a stopped node: %v", err)
		}
		w.end()
	})
}
