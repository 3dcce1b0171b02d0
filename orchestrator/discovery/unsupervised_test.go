package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
)

// A cluster without a supervisor reports what its labels show, can be removed, and says for
// everything else what is missing and what to type.
func TestUnsupervised(t *testing.T) {
	ctx, eng := t.Context(), enginetest.New()
	subnet := network.Layout(netip.MustParsePrefix("10.213.7.0/27"))
	if _, err := eng.CreateNetwork(ctx, orchestrator.NetworkSpec{
		Name: "beamyard-shop", Subnet: subnet.Prefix, Gateway: subnet.Gateway,
		Labels: map[string]string{orchestrator.LabelCluster: "shop", orchestrator.LabelSpec: `{"name":"shop","nodes":[{"name":"n1"}]}`},
	}); err != nil {
		t.Fatal(err)
	}
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
		if !errors.Is(err, orchestrator.ErrNoSupervisor) || orchestrator.HintOf(err) != "supervise it again: beamyard up shop -d" {
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
		t.Errorf("once it is gone: %v", err)
	}
}
