package cluster_test

import (
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/internal/reach"
)

// job creates the container in which this Beamyard runs.
func (w *world) job(name string) string {
	w.t.Helper()
	id, err := w.eng.CreateContainer(w.t.Context(), orchestrator.ContainerSpec{Name: name, Image: "shop:1"})
	if err == nil {
		err = w.eng.StartContainer(w.t.Context(), id)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// endJob removes a job's container, and checks that nothing else is left.
func (w *world) endJob(id string) {
	w.t.Helper()
	if err := w.eng.RemoveContainer(w.t.Context(), id); err != nil {
		w.t.Error(err)
	}
	if left := w.eng.Left(); len(left) > 0 {
		w.t.Errorf("left behind: %v", left)
	}
}

// A Beamyard in a container of the engine joins the cluster's network, and leaves it when
// the network is removed.
func TestAContainerJoinsTheNetwork(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.eng.Local = true
		job := w.job("job")
		runIn(t, job)
		w.up(nil)
		in := func() bool {
			c, err := w.eng.InspectContainer(t.Context(), job)
			if err != nil {
				t.Fatal(err)
			}
			return len(c.Networks) == 1 && c.Networks[0].Visitor
		}
		if !in() {
			t.Error("the job's container is not in the network")
		}
		if networks, err := w.eng.Networks(t.Context(), map[string]string{orchestrator.LabelKeeper: job}); err != nil || len(networks) != 1 {
			t.Errorf("the network's labels do not name its keeper: %v, %v", networks, err)
		}
		w.cancel()
		if err := <-w.result; err != nil {
			t.Error(err)
		}
		if in() {
			t.Error("the job's container is still in the network")
		}
		w.endJob(job)
	})
}

// A cluster whose job container is removed, stopped, or restarted is swept. One whose job
// container still runs is not, whatever its process IDs are.
func TestAKilledJobIsADeadOwner(t *testing.T) {
	for name, tt := range map[string]struct {
		end   func(w *world, job string)
		swept bool
	}{
		"killed":  {func(w *world, _ string) { w.eng.ExternalKill("job", "KILL") }, true},
		"removed": {func(w *world, job string) { _ = w.eng.RemoveContainer(w.t.Context(), job) }, true},
		"restarted": {func(w *world, job string) {
			w.eng.ExternalKill("job", "KILL")
			w.until("the job has ended", func() bool { c, _ := w.eng.InspectContainer(w.t.Context(), job); return !c.State.Running })
			_ = w.eng.StartContainer(w.t.Context(), job)
		}, true},
		"running": {func(*world, string) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				job := w.job("job")
				runIn(t, job)
				w.abandon("foreign") // its owner is in another pid namespace, which cannot be seen from here
				runIn(t)
				tt.end(w, job)
				f, err := discovery.Find(t.Context(), w.eng, "foreign")
				if err != nil || f.Orphaned() != tt.swept {
					t.Errorf("orphaned: %v, %v", f.Orphaned(), err)
				}
				w.up(nil)
				w.until("the sweep is over", func() bool { return !tt.swept || !strings.Contains(w.clusters(), "foreign") })
				if !tt.swept && !strings.Contains(w.clusters(), "foreign") {
					t.Error("a running job's cluster was removed")
				}
				w.cancel()
				if err := <-w.result; err != nil {
					t.Error(err)
				}
				w.clear()
				w.endJob(job)
			})
		})
	}
}

// runIn makes this process believe that it may run in one of these containers.
func runIn(t *testing.T, ids ...string) {
	t.Helper()
	before := reach.OwnCandidates
	reach.OwnCandidates = func() []string { return ids }
	t.Cleanup(func() { reach.OwnCandidates = before })
}
