package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// A log check is satisfied by a line that was printed before the check began, even if the
// ring has dropped the line since.
func TestALogCheckAppliesToEachRun(t *testing.T) {
	bubble(t, func(_ *testing.T, w *world) {
		w.play(func(v *vms) {
			v.program = func(ctx context.Context, p *enginetest.Process) int {
				for i := range 100 {
					fmt.Fprintf(p.Stdout, "line %d\n", i)
				}
				return enginetest.UntilStopped(ctx, p)
			}
		})
		w.up(func(s *orchestrator.Spec) {
			s.OutputLines = 10
			s.Ready = []orchestrator.Check{{Log: "^run 1 boots$"}}
		})
		if err := w.Kill(w.t.Context(), "KILL", "n2"); err != nil {
			w.t.Fatal(err)
		}
		w.until("n2 waits for its line", func() bool {
			n := w.node("n2")
			return n.Incarnation == 2 && n.State == orchestrator.Starting && strings.Contains(n.Reason, "no line of this run matches ^run 1 boots$")
		})
		if n := w.node("n1"); n.State != orchestrator.Ready {
			w.t.Errorf("n1 is %s: %s", n.State, n.Reason)
		}
		w.end()
	})
}

// The lines of a run that another supervisor started may no longer be kept, so its log
// check is skipped.
func TestALogCheckIsSkippedInAnAdoptedRun(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		said := "run 1 boots"
		detached := func(s *orchestrator.Spec) {
			s.Owner, s.Cookie = keeper.Self(true), "the_same"
			s.Ready = []orchestrator.Check{{Log: said}}
		}
		w.up(detached)
		w.cancel()
		if err := <-w.result; err != nil {
			t.Fatal(err)
		}
		said = "never printed"
		w.run(detached, cluster.Options{Adopt: true})
		w.ready()
		if err := w.Kill(t.Context(), "KILL", "n1"); err != nil {
			t.Fatal(err)
		}
		w.until("its next run waits for the line", func() bool {
			n := w.node("n1")
			return n.Incarnation == 2 && strings.Contains(n.Reason, "no line of this run matches")
		})
		w.down()
	})
}

// A check of ready: runs only until the node is Ready.
func TestReadyChecksPassOnce(t *testing.T) {
	asked := make(chan string, 1000)
	bubble(t, func(_ *testing.T, w *world) {
		w.eng.Command = func(_ context.Context, p *enginetest.Process) int {
			asked <- p.Spec.Command[0]
			return 0
		}
		w.up(func(s *orchestrator.Spec) {
			s.Ready = []orchestrator.Check{{Exec: []string{"booted"}, Nodes: []string{"n1"}}}
			s.Checks = []orchestrator.Check{{Exec: []string{"well"}, Nodes: []string{"n1"}}}
		})
		if r := w.health(); !r.Passed {
			w.t.Errorf("%s", failures(r))
		}
		// A broken link is not the end of the run.
		w.vms.cut("app@n1.shop.test")
		w.until("n1 is proven again", func() bool { return len(asked) == 4 })
		w.end()
	})
	close(asked)
	var got []string
	for name := range asked {
		got = append(got, name)
	}
	if diff := cmp.Diff([]string{"booted", "well", "well", "well"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestNodesWithoutAMesh(t *testing.T) {
	bubble(t, func(_ *testing.T, w *world) {
		w.vms.noMeet = true
		w.up(func(s *orchestrator.Spec) { s.Mesh = orchestrator.MeshNone })
		if r := w.health(); !r.Passed {
			w.t.Errorf("%s", failures(r))
		}
		if got := w.history(); !strings.Contains(got, "ready: 3 nodes, each by itself") {
			w.t.Error(got)
		}
		w.end()
	})
}

func TestFilesAndVolumesOfACustomImage(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "app.conf")
	if err := os.WriteFile(conf, []byte("a = b"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		foreign := func(s *orchestrator.Spec) {
			s.Command, s.User, s.Cookie = []string{orchestrator.CommandOfImage}, "101", "crumbcrumb"
			s.CookieFile, s.Files = "/home/.erlang.cookie", map[string]string{"/etc/app.conf": conf}
			s.Volumes = map[string]string{"data": "/data"}
		}
		read := func(path, want string) {
			t.Helper()
			content, _, err := w.eng.OpenFile(t.Context(), w.container("n1"), path)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := io.ReadAll(content); string(got) != want {
				t.Errorf("%s contains %q, want %q", path, got, want)
			}
		}
		w.play(func(v *vms) {
			v.program = func(ctx context.Context, p *enginetest.Process) int {
				if len(p.Spec.Command) != 0 || p.Spec.User != "101" || slices.ContainsFunc(p.Spec.Env, func(kv string) bool { return strings.Contains(kv, "crumbcrumb") }) {
					t.Errorf("%+v", p.Spec)
				}
				if p.Spec.Hostname == "n1.shop.test" {
					p.WriteFile("/data/note", []byte("kept"))
				}
				return enginetest.UntilStopped(ctx, p)
			}
		})
		w.up(foreign)
		read("/home/.erlang.cookie", "crumbcrumb")
		read("/etc/app.conf", "a = b")
		w.down()
		if got := w.history(); !strings.Contains(got, "nothing is left but its volumes; remove them with `beamyard down shop --volumes`") {
			t.Error(got)
		}
		unused, err := discovery.UnusedVolumes(t.Context(), w.eng)
		want := map[string][]string{"shop": {"beamyard-shop-n1-data", "beamyard-shop-n2-data", "beamyard-shop-n3-data"}}
		if diff := cmp.Diff(want, unused); diff != "" || err != nil {
			t.Error(diff, err)
		}

		w.play(func(v *vms) { v.program = nil })
		w.up(foreign)
		read("/data/note", "kept")
		if unused, err := discovery.UnusedVolumes(t.Context(), w.eng); err != nil || len(unused) > 0 {
			t.Errorf("reported as unused though the cluster is up: %v, %v", unused, err)
		}
		if removed, err := discovery.RemoveVolumes(t.Context(), w.eng, "shop"); err == nil || len(removed) > 0 {
			t.Errorf("removed %v though the cluster is up, %v", removed, err)
		}
		w.down()
		if removed, err := discovery.RemoveVolumes(t.Context(), w.eng, "shop"); err != nil || len(removed) != 3 {
			t.Errorf("removed %v, %v", removed, err)
		}
	})
}

// A missing local file fails the node before it starts, and the error names the file.
func TestAFileThatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run(func(s *orchestrator.Spec) {
			s.Files = map[string]string{"/etc/app.conf": "/no/such.conf"}
			s.Volumes, s.User = map[string]string{"data": "/data"}, "1000"
		}, cluster.Options{})
		if err := w.fails(); err == nil || !strings.Contains(err.Error(), "read the file for /etc/app.conf: stat /no/such.conf") {
			t.Errorf("%v", err)
		}
		// A volume that did not get the owner of its user would keep the wrong one.
		if left, err := w.eng.Volumes(t.Context(), nil); err != nil || len(left) > 0 {
			t.Errorf("volumes %v, %v", left, err)
		}
	})
}

// Everything that a cluster creates has the spec's labels, and still has them after an
// adoption.
func TestLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.up(func(s *orchestrator.Spec) {
			s.Labels = map[string]string{"org.example.session": "42"}
			s.Volumes = map[string]string{"data": "/data"}
		})
		labelled := func() string {
			label := map[string]string{"org.example.session": "42"}
			containers, err := w.eng.Containers(t.Context(), label)
			networks, networksErr := w.eng.Networks(t.Context(), label)
			volumes, volumesErr := w.eng.Volumes(t.Context(), label)
			if err := errors.Join(err, networksErr, volumesErr); err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(len(containers), len(networks), len(volumes))
		}
		if got := labelled(); got != "3 1 3" {
			t.Errorf("containers, networks and volumes: %s", got)
		}
		found, err := discovery.Find(t.Context(), w.eng, "shop")
		if err != nil || found.Spec.Labels["org.example.session"] != "42" {
			t.Errorf("found with %v, %v", found.Spec.Labels, err)
		}
		w.down()
		if _, err := discovery.RemoveVolumes(t.Context(), w.eng, "shop"); err != nil {
			t.Error(err)
		}
		if got := labelled(); got != "0 0 0" {
			t.Errorf("left: %s", got)
		}
	})
}
