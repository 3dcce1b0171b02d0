package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/effects"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// aftermath reports what faults did that are over.
func (r *running) aftermath(healed time.Time, over ...fault.Fault) effects.Report {
	r.t.Helper()
	report := r.health()
	journal, err := r.Journal(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return effects.Observe(effects.Observation{Spec: r.Spec(), Faults: over, Healed: healed, Journal: journal, Health: &report})
}

// A Mnesia application survives seconds of silence, as long as no node takes another one for down,
// and stays apart after a blip of milliseconds, although every node is connected again. The health
// report and the report about the blip say so, and the restarts that the findings suggest bring it
// together again.
func TestMnesia(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			r := up(t, engine(t), otp.base, 3, func(s *orchestrator.Spec) {
				s.Source, s.HTTPCheck, s.HTTPPort = "testdata/mnesia", "", -1
				s.NetTick = 20 * time.Second // packets that were lost come again within seconds
				s.Checks = []orchestrator.Check{{Name: "ledger", RPC: "Ledger.ready?()"}}
			})
			nodes := []string{"n1", "n2", "n3"}
			shared := func(count int) {
				t.Helper()
				for _, n := range nodes {
					eventually(t, n+" shares the table", func() bool { return strings.Count(r.rpc(n, "Ledger.shared()"), "@") == count })
				}
			}
			shared(3)

			// After seconds of silence, a write waits, and nothing is apart.
			before := r.inject(fault.Isolate("n1"), 3*time.Second)
			if got := r.rpc("n2", `Ledger.put(:written, :in_silence)`); got != "{:atomic, :ok}" || time.Now().Before(before.End) {
				t.Errorf("written: %s, %s before the end", got, time.Until(before.End))
			}
			shared(3)
			if after := r.aftermath(before.End, before); len(after.Lost) > 0 || len(after.Unnoticed) != 2 || len(after.Mnesia) != 3 || len(after.Left) > 0 {
				t.Errorf("after silence: %+v", after)
			}

			// A blip of milliseconds.
			blip := fault.Fault{Kind: fault.KindCut, Pairs: fault.Isolate(nodes...).Cuts(nodes), How: fault.Reset, Begin: time.Now()}
			if expected := effects.Expect(blip, r.Spec(), effects.Kernels(r.Spec(), r.health().Report)); !slices.Equal(expected.Mnesia, nodes) {
				t.Errorf("expected %+v", expected)
			}
			if _, err := r.injector().ResetConnections(t.Context(), blip.Pairs); err != nil {
				t.Fatal(err)
			}
			shared(1)
			for _, n := range nodes {
				r.seesEventually(n, 2)
				r.rpc(n, `Ledger.put(:owner, node())`)
			}
			after := r.aftermath(time.Time{}, blip)
			t.Logf("after the blip:\n%s", strings.Join(after.Lines(), "\n"))
			if len(after.Lost) != 3 || len(after.Left) != 3 || after.Nothing() {
				t.Errorf("after the blip: %+v", after)
			}
			for _, f := range after.Left {
				if f.Code != "mnesia-apart" {
					t.Errorf("%s: %s", f.Node, f)
				}
			}
			report := r.health()
			if !report.Matrix.Full() || !strings.Contains(hint.Lines(report.Suggestions...).String(), "keep the tables of n1, and restart the others, which then load them: beamyard restart "+r.name+"/n2 "+r.name+"/n3") {
				t.Errorf("connected: %v, suggested:\n%s", report.Matrix.Full(), hint.Lines(report.Suggestions...))
			}

			// Mnesia itself never merges; the nodes that the findings name are restarted.
			var restarts []string
			for _, f := range after.Left {
				for _, s := range f.Solutions {
					if text := s.Do.String(); strings.HasPrefix(text, "beamyard restart ") {
						restarts = append(restarts, strings.TrimPrefix(text, "beamyard restart "+r.name+"/"))
					}
				}
			}
			if slices.Sort(restarts); !slices.Equal(restarts, []string{"n2", "n3"}) {
				t.Fatalf("to restart: %v", restarts)
			}
			shared(1)
			if err := r.Restart(t.Context(), restarts...); err != nil {
				t.Fatal(err)
			}
			r.ready()
			shared(3)
			for _, n := range nodes {
				if got := r.rpc(n, "Ledger.get(:owner)"); !strings.Contains(got, r.node("n1").Node) {
					t.Errorf("%s has %s, and the tables of n1 were to be kept", n, got)
				}
			}
			if left := r.aftermath(time.Time{}, blip).Left; len(left) > 0 {
				t.Errorf("after the restart: %+v", left)
			}
		})
	}
}
