package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/upgrade"
)

// upgrades is a world with the images shop:1 to shop:3, of which shop:3 does not boot.
func upgrades(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	bubble(t, func(t *testing.T, w *world) {
		w.eng.AddImage("shop:2")
		w.eng.AddImage("shop:3")
		w.eng.Program = func(s orchestrator.ContainerSpec) enginetest.Program {
			if s.Image != "shop:3" {
				return w.vms.boot
			}
			return func(_ context.Context, p *enginetest.Process) int {
				fmt.Fprintln(p.Stderr, "** (Mix) Could not start application shop: no table")
				return 1
			}
		}
		test(t, w)
	})
}

// placed returns what the containers of the nodes are created of, and their names, addresses and
// host ports.
func (w *world) placed() (images, places string) {
	w.t.Helper()
	all, err := w.eng.Containers(context.Background(), map[string]string{orchestrator.LabelCluster: "shop"})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, n := range orchestrator.NodeNames(3) {
		for _, c := range all {
			if c.Labels[orchestrator.LabelNode] == n.Name {
				images += fmt.Sprintf("%s %s, ", n.Name, c.Image)
				places += fmt.Sprintf("%s %v %v, ", c.Name, c.Networks[0].IP, manifest.PortsOf(c.Labels))
			}
		}
	}
	return strings.TrimSuffix(images, ", "), places
}

func (w *world) runs(want string) {
	w.t.Helper()
	if got, _ := w.placed(); got != want {
		w.t.Errorf("nodes run %s; want %s\n%s", got, want, w.history())
	}
}

func TestUpgradeReplacesOneNodeAfterTheOther(t *testing.T) {
	upgrades(t, func(t *testing.T, w *world) {
		w.up(func(s *orchestrator.Spec) { s.Volumes = map[string]string{"data": "/data"} })
		_, places := w.placed()
		report, err := w.Upgrade(t.Context(), upgrade.Options{Source: "shop:2"})
		if err != nil {
			t.Fatalf("%v\n%s", err, w.history())
		}
		w.runs("n1 shop:2, n2 shop:2, n3 shop:2")
		if _, now := w.placed(); now != places {
			t.Errorf("nodes moved from %s to %s", places, now)
		}
		down, begun := map[string]bool{}, false
		_ = w.Events(t.Context(), 0, false, func(e orchestrator.Event) error {
			begun = begun || e.Kind == orchestrator.EventUpgrade
			if e.Kind == orchestrator.EventState && e.State == orchestrator.Ready {
				delete(down, e.Node)
			} else if e.Kind == orchestrator.EventState && begun {
				down[e.Node] = true
			}
			if len(down) > 1 {
				t.Errorf("%v are down at once", down)
			}
			return nil
		})
		if got, want := report.Line(), "upgrade of shop: 3 nodes replaced, in "; !strings.HasPrefix(got, want) {
			t.Errorf("%s; want %s", got, want)
		}
		if st := w.Snapshot(); st.Image != "shop:2" || !st.Ready || st.Nodes[0].Image != "" || w.Spec().Image != "shop:2" {
			t.Errorf("%+v", st)
		}
		var asked []string
		entries, _ := w.Journal(t.Context())
		for _, e := range entries {
			if e.Source == orchestrator.FromUser {
				asked = append(asked, e.Node+" "+e.Text)
			}
		}
		if diff := cmp.Diff([]string{"n1 replace", "n2 replace", "n3 replace"}, asked); diff != "" {
			t.Errorf("journal (-want +got):\n%s", diff)
		}
		var lines []string
		_ = w.Logs(t.Context(), orchestrator.LogQuery{Nodes: []string{"n2"}}, func(l orchestrator.Line) error {
			lines = append(lines, l.Text)
			return nil
		})
		if diff := cmp.Diff([]string{"run 1 boots", "── n2 replaced: shop:2 ──", "run 1 boots"}, lines); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}

		report, err = w.Upgrade(t.Context(), upgrade.Options{Source: "shop:2"})
		if want := "shop: every node runs that image already: nothing changed"; err != nil || report.Line() != want {
			t.Errorf("again: %s, %v", report.Line(), err)
		}
		if _, err = w.Upgrade(t.Context(), upgrade.Options{Back: true}); err != nil {
			t.Fatal(err)
		}
		w.runs("n1 shop:1, n2 shop:1, n3 shop:1")
		if _, now := w.placed(); now != places {
			t.Errorf("nodes moved from %s to %s", places, now)
		}
		if _, err = w.Upgrade(t.Context(), upgrade.Options{Back: true}); !errors.Is(err, upgrade.ErrNoUpgrade) {
			t.Errorf("back twice: %v", err)
		}
		w.end()
	})
}

// While a node is replaced, a process that only looks for a free port can have the node's.
func TestUpgradeWaitsForThePortsOfANode(t *testing.T) {
	upgrades(t, func(t *testing.T, w *world) {
		w.up(func(*orchestrator.Spec) {})
		_, places := w.placed()
		looks, err := network.Hold(network.DefaultHostIP, uint16(w.Snapshot().Nodes[0].Ports[0].Host))
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { _ = looks.Release() })
		w.eng.FailNext("StartContainer", orchestrator.ErrPortTaken, orchestrator.ErrPortTaken)
		if _, err := w.Upgrade(t.Context(), upgrade.Options{Source: "shop:2"}); err != nil {
			t.Fatalf("%v\n%s", err, w.history())
		}
		if _, now := w.placed(); now != places {
			t.Errorf("nodes moved from %s to %s", places, now)
		}
		w.end()
	})
}

// The first node with an image that does not boot stops the upgrade, also where a failed node
// would stop the cluster; the others keep running.
func TestUpgradeStopsAtTheFirstNodeThatIsNotWell(t *testing.T) {
	upgrades(t, func(t *testing.T, w *world) {
		w.up(func(s *orchestrator.Spec) { s.OnFailed = orchestrator.FailedStopCluster })
		report, err := w.Upgrade(t.Context(), upgrade.Options{Source: "shop:3"})
		var stopped *upgrade.Stopped
		if !errors.As(err, &stopped) || stopped.Node != "n1" || !errors.Is(err, orchestrator.ErrNodeFailed) {
			t.Fatalf("%v\n%s", err, w.history())
		}
		want := `upgrade of shop stopped at n1, no other node is replaced: cluster shop: a node failed
  n1 (failed): boot (exit 1): ** (Mix) Could not start application shop: no table; not restarted: it failed to boot twice with the same message`
		if !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "why: ") {
			t.Errorf("%v\nwant %s", err, want)
		}
		if next := orchestrator.HintOf(err).String(); !strings.Contains(next, "beamyard rollback shop\n") || !strings.HasSuffix(next, "go on: beamyard upgrade shop --to shop:3") {
			t.Errorf("hint: %s", next)
		}
		states := map[string]upgrade.NodeState{}
		for _, n := range report.Nodes {
			states[n.Name] = n.State
		}
		if diff := cmp.Diff(map[string]upgrade.NodeState{"n1": upgrade.Unwell, "n2": upgrade.Waiting, "n3": upgrade.Waiting}, states); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
		w.runs("n1 shop:3, n2 shop:1, n3 shop:1")
		if n1, n2 := w.node("n1"), w.node("n2"); n1.Image != "shop:3" || n2.State != orchestrator.Ready || n2.Image != "" {
			t.Errorf("%+v\n%+v", n1, n2)
		}

		_, err = w.Upgrade(t.Context(), upgrade.Options{Source: "shop:3"})
		if err == nil || !strings.Contains(err.Error(), "n1 is failed with the image that it is to run") {
			t.Errorf("again: %v", err)
		}
		// Another image continues: the node that is down comes first, and the way back stays.
		if _, err = w.Upgrade(t.Context(), upgrade.Options{Source: "shop:2", Batch: 2}); err != nil {
			t.Fatal(err)
		}
		w.runs("n1 shop:2, n2 shop:2, n3 shop:2")
		if _, err = w.Upgrade(t.Context(), upgrade.Options{Back: true}); err != nil {
			t.Fatal(err)
		}
		w.runs("n1 shop:1, n2 shop:1, n3 shop:1")
		w.end()
	})
}

func TestRollbackOfAnUpgradeThatStopped(t *testing.T) {
	upgrades(t, func(t *testing.T, w *world) {
		w.up(nil)
		if _, err := w.Upgrade(t.Context(), upgrade.Options{Source: "shop:3"}); err == nil {
			t.Fatal("it did not stop")
		}
		report, err := w.Upgrade(t.Context(), upgrade.Options{Back: true})
		if want := "rollback of shop: 1 node replaced, in "; err != nil || !strings.HasPrefix(report.Line(), want) {
			t.Fatalf("%s, %v\n%s", report.Line(), err, w.history())
		}
		w.ready()
		w.runs("n1 shop:1, n2 shop:1, n3 shop:1")
		w.end()
	})
}

// The next group waits for a node that crashed meanwhile, and an upgrade stops if that one does
// not come back.
func TestUpgradeWaitsForANodeThatDiesMeanwhile(t *testing.T) {
	for _, mode := range []orchestrator.RestartMode{orchestrator.RestartOnFailure, orchestrator.RestartNo} {
		t.Run(string(mode), func(t *testing.T) {
			upgrades(t, func(t *testing.T, w *world) {
				w.up(func(s *orchestrator.Spec) { s.Restart.Mode = mode })
				go func() {
					_ = w.Await(t.Context(), func(st orchestrator.Status) bool { return st.Nodes[0].State == orchestrator.Starting })
					_ = w.Kill(t.Context(), "KILL", "n3")
				}()
				_, err := w.Upgrade(t.Context(), upgrade.Options{Source: "shop:2"})
				if mode == orchestrator.RestartOnFailure {
					if err != nil {
						t.Fatal(err)
					}
					w.runs("n1 shop:2, n2 shop:2, n3 shop:2")
					w.ready()
					if w.node("n3").RestartCount != 1 || !strings.Contains(w.history(), "n3 ended: killed (exit 137)") {
						t.Errorf("n3 did not crash\n%s", w.history())
					}
				} else {
					var stopped *upgrade.Stopped
					if !errors.As(err, &stopped) || stopped.Node != "n3" {
						t.Errorf("%v", err)
					}
					w.runs("n1 shop:2, n2 shop:1, n3 shop:1")
				}
				w.end()
			})
		})
	}
}

// A node that a user stops during an upgrade, and starts again soon, does not end it.
func TestUpgradeWaitsForANodeThatIsStartedAgain(t *testing.T) {
	upgrades(t, func(t *testing.T, w *world) {
		w.up(nil)
		again := make(chan error, 1)
		go func() {
			_ = w.Await(t.Context(), func(st orchestrator.Status) bool { return st.Nodes[0].State == orchestrator.Starting })
			err := w.Stop(t.Context(), "n3")
			time.Sleep(time.Second)
			again <- errors.Join(err, w.Start(t.Context(), "n3"))
		}()
		if _, err := w.Upgrade(t.Context(), upgrade.Options{Source: "shop:2"}); err != nil {
			t.Errorf("%v\n%s", err, w.history())
		}
		if err := <-again; err != nil || !strings.Contains(w.history(), "n3 stopped") {
			t.Errorf("n3 was not stopped and started: %v\n%s", err, w.history())
		}
		w.runs("n1 shop:2, n2 shop:2, n3 shop:2")
		w.end()
	})
}

// A supervisor that is killed while a node has no container leaves a record: the next one starts
// that node with the image before, on its ports, and goes on or goes back.
func TestAnInterruptedUpgradeIsAdopted(t *testing.T) {
	for _, back := range []bool{false, true} {
		t.Run(fmt.Sprint(back), func(t *testing.T) {
			upgrades(t, func(t *testing.T, w *world) {
				detached := func(s *orchestrator.Spec) { s.Owner.Detached = true }
				w.up(detached)
				_, places := w.placed()
				spec := w.Spec()
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					_ = w.Await(t.Context(), func(st orchestrator.Status) bool { return st.Nodes[1].State == orchestrator.Starting })
					cancel()
					w.cancel()
				}()
				if _, err := w.Upgrade(ctx, upgrade.Options{Source: "shop:2"}); err == nil {
					t.Fatal("it was not interrupted")
				}
				<-w.result
				if err := w.eng.RemoveContainer(t.Context(), "beamyard-shop-n2"); err != nil {
					t.Fatal(err)
				}
				w.runs("n1 shop:2, n3 shop:1")
				found, err := discovery.Find(t.Context(), w.eng, "shop")
				if err != nil || found.Image != "shop:1" || found.Nodes[0].Image != "shop:2" || found.Spec.Node("n1").Image != "shop:2" {
					t.Errorf("by labels: %+v, %v", found.Status, err)
				}

				w.run(func(s *orchestrator.Spec) { *s = spec }, cluster.Options{Adopt: true})
				w.ready()
				w.runs("n1 shop:2, n2 shop:1, n3 shop:1")
				if _, now := w.placed(); now != places {
					t.Errorf("nodes moved from %s to %s", places, now)
				}
				if _, err := w.Upgrade(t.Context(), upgrade.Options{Source: "shop:2", Back: back}); err != nil {
					t.Fatal(err)
				}
				if back {
					w.runs("n1 shop:1, n2 shop:1, n3 shop:1")
				} else {
					w.runs("n1 shop:2, n2 shop:2, n3 shop:2")
				}
				if err := w.Down(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.end()
			})
		})
	}
}

func TestUpgradeRefuses(t *testing.T) {
	upgrades(t, func(t *testing.T, w *world) {
		w.up(nil)
		refused := func(o upgrade.Options, want string) {
			t.Helper()
			if _, err := w.Upgrade(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v; want %s", err, want)
			}
		}
		refused(upgrade.Options{Source: "shop:9"}, "shop:9")
		refused(upgrade.Options{Back: true}, "there is no upgrade to go back from")
		_ = w.Pause(t.Context(), "n2")
		refused(upgrade.Options{Source: "shop:2"}, "n2 is paused: no node was changed")
		_ = w.Unpause(t.Context(), "n2")
		_ = w.Stop(t.Context(), "n2")
		refused(upgrade.Options{Source: "shop:2"}, "n2 is stopped: no node was changed")
		w.runs("n1 shop:1, n2 shop:1, n3 shop:1")
		w.end()
	})
}

// A cluster that is taken down in the middle of an upgrade goes down at once.
func TestDownEndsAnUpgrade(t *testing.T) {
	upgrades(t, func(t *testing.T, w *world) {
		w.up(nil)
		go func() {
			_ = w.Await(t.Context(), func(st orchestrator.Status) bool { return st.Nodes[1].State == orchestrator.Starting })
			if err := w.Down(t.Context()); err != nil {
				t.Errorf("down: %v", err)
			}
		}()
		began := time.Now()
		if _, err := w.Upgrade(t.Context(), upgrade.Options{Source: "shop:2"}); !errors.Is(err, orchestrator.ErrClosed) {
			t.Errorf("upgrade: %v", err)
		}
		w.end()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
