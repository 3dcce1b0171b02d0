package discovery_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/google/go-cmp/cmp"
)

// shop returns an engine with the network of a cluster of that many nodes.
func shop(t *testing.T, nodes int) *enginetest.Engine {
	t.Helper()
	spec, err := json.Marshal(orchestrator.Spec{Name: "shop", Nodes: orchestrator.NodeNames(nodes)}.Defaulted())
	if err != nil {
		t.Fatal(err)
	}
	eng, subnet := enginetest.New("shop:1"), network.Layout(netip.MustParsePrefix("10.213.7.0/27"))
	if _, err := eng.CreateNetwork(t.Context(), orchestrator.NetworkSpec{
		Name: "beamyard-shop", Subnet: subnet.Prefix, Gateway: subnet.Gateway,
		Labels: map[string]string{orchestrator.LabelCluster: "shop", orchestrator.LabelSpec: string(spec)},
	}); err != nil {
		t.Fatal(err)
	}
	return eng
}

// A cluster without a supervisor reports what its labels show, and can be removed. All
// other calls say what is missing and what to type.
func TestUnsupervised(t *testing.T) {
	ctx, eng := t.Context(), shop(t, 1)
	var c orchestrator.Controller = discovery.Control(eng, "shop")
	if st, err := c.Status(ctx); err != nil || st.Cluster != "shop" || st.Supervised {
		t.Errorf("%+v, %v", st, err)
	}
	journal := func(ctx context.Context) error { _, err := c.Journal(ctx); return err }
	for name, call := range map[string]func(context.Context) error{
		"wait":    c.WaitReady,
		"journal": journal,
		"events": func(ctx context.Context) error {
			return c.Events(ctx, 0, true, func(orchestrator.Event) error { return nil })
		},
		"start":   func(ctx context.Context) error { return c.Start(ctx, "n1") },
		"stop":    func(ctx context.Context) error { return c.Stop(ctx, "n1") },
		"restart": func(ctx context.Context) error { return c.Restart(ctx, "n1") },
		"kill":    func(ctx context.Context) error { return c.Kill(ctx, "KILL", "n1") },
		"pause":   func(ctx context.Context) error { return c.Pause(ctx, "n1") },
		"unpause": func(ctx context.Context) error { return c.Unpause(ctx, "n1") },
	} {
		err := call(ctx)
		if !errors.Is(err, orchestrator.ErrNoSupervisor) || orchestrator.HintOf(err).String() != "supervise it again: beamyard up shop -d" {
			t.Errorf("%s: %v, hint %q", name, err, orchestrator.HintOf(err))
		}
	}
	if _, err := c.Eval(ctx, "n9", "1", orchestrator.EvalOptions{}); !errors.Is(err, orchestrator.ErrNoNode) {
		t.Errorf("an unknown node: %v", err)
	}
	for range 2 { // it is idempotent
		if err := c.Down(ctx); err != nil {
			t.Error(err)
		}
	}
	if left := eng.Left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if err := c.Start(ctx, "n1"); !errors.Is(err, orchestrator.ErrNoCluster) || !strings.Contains(fmt.Sprint(err), "shop") {
		t.Errorf("after its removal: %v", err)
	}
}

// A node without a supervisor is in the state that the engine reports. Its output shows where
// its last run begins.
func TestNodesWithoutASupervisor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, eng := t.Context(), shop(t, 4)
		eng.Program = func(orchestrator.ContainerSpec) enginetest.Program {
			return func(ctx context.Context, p *enginetest.Process) int {
				fmt.Fprintln(p.Stdout, "run", p.Run)
				return enginetest.UntilStopped(ctx, p)
			}
		}
		for _, n := range orchestrator.NodeNames(4) {
			if _, err := eng.CreateContainer(ctx, orchestrator.ContainerSpec{
				Name: "beamyard-shop-" + n.Name, Image: "shop:1",
				Labels: map[string]string{orchestrator.LabelCluster: "shop", orchestrator.LabelNode: n.Name, orchestrator.LabelIndex: n.Name[1:]},
			}); err != nil {
				t.Fatal(err)
			}
		}
		for _, node := range []string{"n1", "n2", "n3"} {
			eng.ExternalStart("beamyard-shop-" + node)
		}
		time.Sleep(time.Second)
		eng.Pause("beamyard-shop-n2")
		eng.ExternalStop("beamyard-shop-n3")
		eng.ExternalStop("beamyard-shop-n1")
		time.Sleep(time.Second)
		eng.ExternalStart("beamyard-shop-n1")
		synctest.Wait()

		c := discovery.Control(eng, "shop")
		st, err := c.Status(ctx)
		var got []string
		for _, n := range st.Nodes {
			got = append(got, fmt.Sprintf("%s %s: %s (running %t, paused %t)", n.Name, n.State, n.Reason, n.State.Running(), n.Paused))
		}
		want := []string{
			"n1 running: no supervisor proves that it is ready (running true, paused false)",
			"n2 running: paused (running true, paused true)",
			"n3 stopped: completed (exit 0) (running false, paused false)",
			"n4 pending:  (running false, paused false)",
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v, states (-want +got):\n%s", err, diff)
		}
		var lines []string
		if err := c.Logs(ctx, orchestrator.LogQuery{Nodes: []string{"n1"}}, func(l orchestrator.Line) error {
			lines = append(lines, fmt.Sprintf("%d: %s", l.Run, l.Text))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"0: run 1", "0: ── n1 restarted ──", "0: run 2"}, lines); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
		if err := c.Down(ctx); err != nil {
			t.Error(err)
		}
	})
}
