package cluster_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// park parks the cluster that run starts.
func (w *world) park() *cluster.Parked {
	w.t.Helper()
	spec := orchestrator.Spec{Name: "shop", Image: "shop:1", App: "shop", Nodes: orchestrator.NodeNames(3), HostPort: 24200}
	p, err := cluster.Park(w.t.Context(), spec, w.eng)
	if err != nil {
		w.t.Fatal(err)
	}
	return &p
}

// take runs a parked cluster.
func (w *world) take(p *cluster.Parked) {
	w.t.Helper()
	w.run(func(s *orchestrator.Spec) { s.Cookie, s.Owner = p.Spec.Cookie, p.Spec.Owner }, cluster.Options{Parked: p})
}

// told is what a user sees of a cluster's first run, without addresses of the engine.
func (w *world) told(t *testing.T) (all []string) {
	for _, name := range []string{"n1", "n2", "n3"} {
		n := w.node(name)
		all = append(all, strings.Join([]string{n.Name, n.Node, n.Host, string(n.State), n.URL, n.Container}, " "))
		if n.Incarnation != 1 || n.RestartCount != 0 || time.Since(n.StartedAt) > 10*time.Second {
			t.Errorf("%s: run %d, %d restarts, started %s ago", name, n.Incarnation, n.RestartCount, time.Since(n.StartedAt))
		}
	}
	if err := w.Logs(t.Context(), orchestrator.LogQuery{}, func(l orchestrator.Line) error {
		all = append(all, l.Node+": "+l.Text)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	entries, err := w.Journal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Source == orchestrator.FromEngine && e.Text != "create" {
			all = append(all, e.Node+" "+e.Text)
		}
	}
	slices.Sort(all) // the nodes start at the same time
	return all
}

// A parked cluster runs nothing until it is taken. Its events are then those of a fresh one, and a crash restarts its nodes without waiting.
func TestAParkedClusterIsTakenAsAFreshOne(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		fresh := w.told(t)
		w.end()
		p := w.park()
		time.Sleep(time.Hour)
		if len(w.vms.alive) != 0 {
			t.Fatalf("%d VMs run while they are parked", len(w.vms.alive))
		}
		began := time.Now()
		w.take(p)
		w.ready()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		if diff := cmp.Diff(fresh, w.told(t)); diff != "" {
			t.Errorf("fresh and taken differ (-fresh +taken):\n%s", diff)
		}
		for name, n := range p.Nodes {
			if got := w.node(name); got.ContainerID != n.ID || got.IP != n.IP {
				t.Errorf("%s is another container: %+v", name, got)
			}
		}
		if err := w.Kill(t.Context(), "KILL", "n2"); err != nil {
			t.Fatal(err)
		}
		w.untilState("n2", orchestrator.BackingOff)
		w.ready()
		if n := w.node("n2"); n.Incarnation != 2 || n.RestartCount != 1 {
			t.Errorf("after a crash: %+v", n)
		}
		if err := w.Kill(t.Context(), "USR1", "n3"); err != nil { // it is no opening
			t.Fatal(err)
		}
		w.until("the journal has the signal", func() bool {
			entries, _ := w.Journal(t.Context())
			return strings.Contains(cmp.Diff(nil, entries), "kill (signal 10)")
		})
		w.end()
	})
}

// A crash in the first moments of a taken node is found.
func TestANodeThatIsTakenAndDies(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p := w.park()
		w.vms.program = nil
		w.take(p)
		w.until("n1 is started", func() bool { return w.node("n1").State == orchestrator.Starting })
		w.eng.ExternalKill(w.container("n1"), "KILL")
		w.untilState("n1", orchestrator.BackingOff)
		w.ready()
		w.end()
	})
}

// What is damaged is replaced in silence.
func TestADamagedParkedCluster(t *testing.T) {
	for name, damage := range map[string]func(w *world, p *cluster.Parked){
		"a node stopped":    func(w *world, _ *cluster.Parked) { w.eng.ExternalStop("beamyard-shop-n2") },
		"a node was killed": func(w *world, _ *cluster.Parked) { w.eng.ExternalKill("beamyard-shop-n2", "KILL") },
		"a node is paused":  func(w *world, _ *cluster.Parked) { w.eng.Pause("beamyard-shop-n2") },
		"a node is gone":    func(w *world, _ *cluster.Parked) { w.eng.ExternalRemove("beamyard-shop-n1") },
		"an engine restarted": func(w *world, _ *cluster.Parked) {
			for _, n := range []string{"n1", "n2", "n3"} {
				w.eng.ExternalStop("beamyard-shop-" + n)
			}
		},
		"a node dies as it is taken": func(w *world, _ *cluster.Parked) { w.eng.FailNext("KillContainer", orchestrator.ErrNotRunning) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				p := w.park()
				damage(w, p)
				w.take(p)
				w.ready()
				if lines := strings.Join(w.told(t), "\n"); strings.Count(lines, "run 1 boots") != 3 {
					t.Error(lines)
				}
				w.end()
			})
		})
	}
}

// A failure while a cluster is parked leaves nothing.
func TestParkingThatFails(t *testing.T) {
	for _, call := range []string{"CreateContainer", "WriteFiles", "StartContainer", "OpenFile", "CreateNetwork"} {
		t.Run(call, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.eng.FailNext(call, orchestrator.ErrCannotStart)
				spec := orchestrator.Spec{Name: "shop", Image: "shop:1", Nodes: orchestrator.NodeNames(2), HostPort: 24200, Owner: keeper.Self(false)}
				if _, err := cluster.Park(t.Context(), spec, w.eng); err == nil {
					t.Error("no error")
				}
				if left := w.eng.Left(); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
			})
		})
	}
}
