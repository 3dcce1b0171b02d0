package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// These tests are about how nodes, clusters, and their keepers end.

// A VM that crashes leaves a crash dump. Its slogan is reported with the exit, and the
// dump is copied.
func TestACrashIsReportedWithItsSlogan(t *testing.T) {
	dumps := filepath.Join(t.TempDir(), "dumps")
	bubble(t, func(t *testing.T, w *world) {
		w.vms.program = func(ctx context.Context, p *enginetest.Process) int {
			if !strings.HasPrefix(p.Spec.Hostname, "n2.") || p.Run > 2 {
				return enginetest.UntilStopped(ctx, p)
			}
			select {
			case <-ctx.Done():
				return 137
			case <-time.After(time.Minute):
			}
			if p.Run == 1 { // the second run leaves no dump: the dump of the first run is not reported again
				p.WriteFile("/tmp/erl_crash.dump", []byte("=erl_crash_dump:0.5\nTue Nov 24\nSlogan: cookie the_cookie leaked\nSystem version: 15\n"))
			}
			fmt.Fprintln(p.Stderr, "Crash dump is being written to: /tmp/erl_crash.dump...done")
			return 1
		}
		w.up(func(s *orchestrator.Spec) { s.KeepDumps, s.Cookie = dumps, "the_cookie" })
		w.until("n2 ran three times", func() bool { return w.node("n2").Incarnation == 3 && w.node("n2").State == orchestrator.Ready })
		var told []string
		_ = w.Events(t.Context(), 0, false, func(e orchestrator.Event) error {
			if e.Kind == orchestrator.EventExit {
				told = append(told, fmt.Sprintf("%s; slogan %q, dump %v", e.Text, e.Exit.Slogan, e.Exit.Dump != ""))
			}
			return nil
		})
		want := []string{
			`n2 ended: crashed (exit 1): cookie [secret] leaked; slogan "cookie [secret] leaked", dump true`,
			`n2 ended: crashed (exit 1): Crash dump is being written to: /tmp/erl_crash.dump...done; slogan "", dump false`,
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		w.end()
	})
	files, err := filepath.Glob(filepath.Join(dumps, "shop-n2-*.dump"))
	if err != nil || len(files) != 1 {
		t.Fatalf("dumps %v, %v", files, err)
	}
	info, err := os.Stat(files[0])
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
		t.Errorf("%v, %v", info, err)
	}
}

// crashing makes n2 exit with 3 in each run.
func crashing(ctx context.Context, p *enginetest.Process) int {
	if strings.HasPrefix(p.Spec.Hostname, "n2.") {
		select {
		case <-ctx.Done():
			return 137
		case <-time.After(5 * time.Second):
			return 3
		}
	}
	return enginetest.UntilStopped(ctx, p)
}

func TestAFailureCanStopTheCluster(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.vms.program = crashing
		w.up(func(s *orchestrator.Spec) {
			s.OnFailed, s.Restart.Mode = orchestrator.FailedStopCluster, orchestrator.RestartNo
		})
		err := w.fails()
		if !errors.Is(err, orchestrator.ErrNodeFailed) || !strings.Contains(err.Error(), "n2 (failed): crashed (exit 3)") {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestAFailedClusterIsKept(t *testing.T) {
	for name, edit := range map[string]func(*orchestrator.Spec){
		"a node fails before all are ready": func(s *orchestrator.Spec) { s.Restart.Mode = orchestrator.RestartNo; s.HTTPCheck = "/never" },
		"not ready in time":                 func(s *orchestrator.Spec) { s.ReadyTimeout, s.HTTPCheck = 3*time.Second, "/never" },
		"the cluster is stopped": func(s *orchestrator.Spec) {
			s.OnFailed, s.Restart.Mode = orchestrator.FailedStopCluster, orchestrator.RestartNo
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.vms.program = crashing
				w.run(func(s *orchestrator.Spec) {
					edit(s)
					s.KeepOnFailure = true
					s.HTTPPort = -1
					if s.HTTPCheck != "" { // nothing answers this check
						s.HTTPCheck, s.App = "", "another"
					}
				}, cluster.Options{})
				err := <-w.result
				if err == nil {
					t.Fatalf("Run did not fail\n%s", w.history())
				}
				if !strings.Contains(orchestrator.HintOf(err).String(), "beamyard down shop") {
					t.Errorf("the hint does not say how to remove it: %v", err)
				}
				if left := w.eng.Left(); len(left) != 4 {
					t.Errorf("kept %v, want three containers and their network", left)
				}
				if _, err := discovery.Remove(t.Context(), w.eng, "shop", time.Second); err != nil {
					t.Error(err)
				}
				if left := w.eng.Left(); len(left) > 0 {
					t.Errorf("left %v", left)
				}
			})
		})
	}
}

// Ctrl-C while a node waits for its restart: no node is started any more.
func TestCancelDuringBackoff(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.vms.program = crashing
		w.up(nil)
		w.until("n2 waits", func() bool { return !w.node("n2").NextRestartAt.IsZero() })
		begun := time.Now()
		w.end()
		if took := time.Since(begun); took > 100*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		if n := w.node("n2"); n.Incarnation != 1 {
			t.Errorf("n2 was started again: %+v", n)
		}
	})
}

func TestTwoRestartsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if err := w.Restart(t.Context(), "n1", "n2"); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		w.ready()
		for _, name := range []string{"n1", "n2"} {
			if n := w.node(name); n.RestartCount != 0 || n.Incarnation < 2 || n.Incarnation > 3 {
				t.Errorf("%+v", n)
			}
		}
		w.end()
	})
}

// The engine replays its last 256 events. An exit before those is found by comparing the
// containers.
func TestAnExitBeforeALongGapIsFound(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		w.eng.FailNext("Events", slices.Repeat([]error{orchestrator.ErrEngineUnreachable}, 5)...)
		w.eng.BreakStreams()
		w.eng.ExternalKill(w.container("n2"), "KILL")
		for range 200 {
			w.eng.Pause(w.container("n3"))
			w.eng.Unpause(w.container("n3"))
		}
		w.until("n2 is restarted", func() bool { return w.node("n2").RestartCount == 1 })
		w.ready()
		time.Sleep(time.Minute)
		if n := w.node("n2"); n.RestartCount != 1 || n.Incarnation != 2 || n.LastExit.Class != orchestrator.ExitKilled {
			t.Errorf("a minute later: %+v", n)
		}
		w.end()
	})
}

// An engine that is away for a moment fails no node. Its calls are retried, and a call
// whose response was lost has been carried out.
func TestAnAbsentEngineFailsNoNode(t *testing.T) {
	away := slices.Repeat([]error{orchestrator.ErrEngineUnreachable}, 3)
	bubble(t, func(t *testing.T, w *world) {
		w.eng.FailNext("CreateContainer", away...)
		w.eng.FailNext("StartContainer", away...)
		w.up(nil)
		w.eng.FailNext("StopContainer", away...)
		w.eng.FailNext("StartContainer", away...)
		if err := w.Restart(t.Context(), "n1", "n2"); err != nil {
			t.Error(err)
		}
		w.ready()
		w.eng.FailNext("StartContainer", away...)
		w.eng.ExternalKill(w.container("n3"), "KILL")
		w.until("n3 is restarted", func() bool { return w.node("n3").RestartCount == 1 })
		w.ready()
		w.eng.FailNext("RemoveContainer", orchestrator.ErrEngineUnreachable)
		w.end()
	})
}

// lossy creates the container and loses the response.
type lossy struct {
	*enginetest.Engine
	lost sync.Map
}

func (e *lossy) CreateContainer(ctx context.Context, c orchestrator.ContainerSpec) (string, error) {
	id, err := e.Engine.CreateContainer(ctx, c)
	if _, again := e.lost.LoadOrStore(c.Name, true); !again {
		return "", orchestrator.ErrEngineUnreachable
	}
	return id, err
}

func TestALostResponseCreatesNoSecondContainer(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.runOn(&lossy{Engine: w.eng}, nil, cluster.Options{})
		w.ready()
		w.end()
	})
}

// A supervisor was killed while it created the containers. The next one creates the
// missing containers and assigns their ports.
func TestAdoptionOfAnIncompleteCluster(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		detached := func(s *orchestrator.Spec) { s.Owner = keeper.Self(true); s.Cookie = "the_same" }
		w.up(detached)
		before, _ := w.Status(t.Context())
		w.cancel()
		if err := <-w.result; err != nil {
			t.Fatal(err)
		}
		w.eng.ExternalRemove(before.Nodes[1].Container)

		w.run(detached, cluster.Options{Adopt: true})
		w.ready()
		after, _ := w.Status(t.Context())
		if after.Nodes[1].URL == "" || after.Nodes[1].IP != before.Nodes[1].IP {
			t.Errorf("n2 %+v", after.Nodes[1])
		}
		if err := w.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.end()
	})
}

// A node that was stopped while it had no supervisor stays down, even with an exit code
// that looks like a crash: the engine still has the events of the stop.
func TestAdoptionRespectsAStop(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.vms.program = func(ctx context.Context, p *enginetest.Process) int {
			if strings.HasPrefix(p.Spec.Hostname, "n2.") {
				<-p.Signals
				return 143
			}
			return enginetest.UntilStopped(ctx, p)
		}
		detached := func(s *orchestrator.Spec) { s.Owner = keeper.Self(true); s.Cookie = "the_same" }
		w.up(detached)
		n1, n2, n3 := w.container("n1"), w.container("n2"), w.container("n3")
		if err := w.Restart(t.Context(), "n1"); err != nil {
			t.Fatal(err)
		}
		w.ready()
		w.cancel()
		if err := <-w.result; err != nil {
			t.Fatal(err)
		}
		w.eng.ExternalStop(n2)
		w.eng.ExternalKill(n3, "TERM")
		time.Sleep(time.Hour)

		w.run(detached, cluster.Options{Adopt: true})
		w.untilState("n1", orchestrator.Ready)
		w.untilState("n2", orchestrator.Stopped)
		w.untilState("n3", orchestrator.Completed)
		if n := w.node("n2"); n.LastExit.Class != orchestrator.ExitStoppedOutside || n.LastExit.Code != 143 {
			t.Errorf("n2 %+v", n.LastExit)
		}
		// n1 ran before: the lines of the two runs have different run numbers.
		var lines []string
		if err := w.Logs(t.Context(), orchestrator.LogQuery{Nodes: []string{"n1"}}, func(l orchestrator.Line) error {
			lines = append(lines, fmt.Sprintf("%d: %s", l.Run, l.Text))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"1: run 1 boots", "2: run 2 boots"}, lines); diff != "" {
			t.Errorf("lines of %s (-want +got):\n%s", n1, diff)
		}
		if err := w.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.end()
	})
}

// dead returns an owner of this machine whose process is gone: another process has its
// pid.
func dead(detached bool) orchestrator.Owner {
	o := keeper.Self(detached)
	o.Start = "1"
	return o
}

// abandon leaves clusters of other keepers behind. All keepers are dead, except that of
// "alive" and that of "foreign", which is on another machine.
func (w *world) abandon(names ...string) {
	w.t.Helper()
	for _, name := range names {
		other := *w
		other.run(func(s *orchestrator.Spec) {
			s.Name, s.KeepOnFailure, s.Cookie = name, name == "kept", "the_same"
			s.Owner, s.Nodes = keeper.Self(true), orchestrator.NodeNames(1)
		}, cluster.Options{})
		other.ready()
		other.cancel() // it is detached: this ends only its supervisor
		if err := <-other.result; err != nil {
			w.t.Fatal(err)
		}
	}
	for _, name := range names {
		owner := dead(name == "detached")
		switch name {
		case "alive":
			owner = keeper.Self(false)
		case "foreign":
			owner.Host = "elsewhere"
		}
		w.eng.Relabel(name, owner)
	}
}

// clear removes all clusters.
func (w *world) clear() {
	list, err := discovery.List(context.Background(), w.eng)
	for _, c := range list {
		_, removeErr := discovery.Remove(context.Background(), w.eng, c.Cluster, time.Second)
		err = errors.Join(err, removeErr)
	}
	if err != nil {
		w.t.Error(err)
	}
}

func (w *world) clusters() string {
	list, err := discovery.List(context.Background(), w.eng)
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, c := range list {
		names = append(names, fmt.Sprintf("%s/%d", c.Cluster, len(c.Nodes)))
	}
	return strings.Join(names, " ")
}

func TestClustersOfDeadKeepersAreSwept(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.abandon("killed", "shop", "detached", "kept", "alive", "foreign") // shop has the name of the new cluster
		w.up(nil)
		w.until("cluster killed is removed", func() bool { return strings.Contains(w.history(), "left of killed") })
		if got, want := w.clusters(), "alive/1 detached/1 foreign/1 kept/1 shop/3"; got != want {
			t.Errorf("there are %s, want %s", got, want)
		}
		if h := w.history(); !strings.Contains(h, "left of shop") {
			t.Errorf("the removal of shop is not reported:\n%s", h)
		}
		w.cancel()
		if err := <-w.result; err != nil {
			t.Error(err)
		}
		w.clear()
	})
}

func TestPrune(t *testing.T) {
	for name, c := range map[string]struct {
		opts discovery.PruneOptions
		left string
	}{
		"dead keepers":  {discovery.PruneOptions{}, "alive/1 detached/1 foreign/1 kept/1"},
		"dry run":       {discovery.PruneOptions{DryRun: true, OlderThan: time.Hour}, "alive/1 detached/1 foreign/1 kept/1 killed/1"},
		"old":           {discovery.PruneOptions{OlderThan: time.Hour}, "alive/1 foreign/1"},
		"not old":       {discovery.PruneOptions{OlderThan: 3 * time.Hour}, "alive/1 detached/1 foreign/1 kept/1"},
		"all but these": {discovery.PruneOptions{OlderThan: time.Hour, Supervised: func(name string) bool { return name == "detached" }}, "alive/1 detached/1 foreign/1"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.abandon("killed", "detached", "kept", "alive", "foreign")
				time.Sleep(2 * time.Hour)
				if _, err := discovery.Prune(t.Context(), w.eng, c.opts); err != nil {
					t.Fatal(err)
				}
				if got := w.clusters(); got != c.left {
					t.Errorf("left %s, want %s", got, c.left)
				}
				w.clear()
			})
		})
	}
}

// Twenty clusters are created at once without a collision.
func TestTwentyClustersAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		clusters := make([]world, 20)
		for i := range clusters {
			clusters[i] = *w
			clusters[i].run(func(s *orchestrator.Spec) { s.Name = fmt.Sprintf("shop%d", i) }, cluster.Options{})
		}
		ports, subnets := map[int]string{}, map[string]string{}
		for i := range clusters {
			c := &clusters[i]
			c.ready()
			st, _ := c.Status(t.Context())
			if other := subnets[st.Subnet.String()]; other != "" {
				t.Errorf("%s and %s both have %s", st.Cluster, other, st.Subnet)
			}
			subnets[st.Subnet.String()] = st.Cluster
			for _, n := range st.Nodes {
				if other := ports[n.HTTPPort]; other != "" {
					t.Errorf("%s and %s both have port %d", n.Container, other, n.HTTPPort)
				}
				ports[n.HTTPPort] = n.Container
			}
		}
		synctest.Wait()
		for i := range clusters {
			clusters[i].cancel()
			if err := <-clusters[i].result; err != nil {
				t.Error(err)
			}
		}
		if left := w.eng.Left(); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	})
}

// An engine's error may quote the command, and with it a secret. No event, status or
// error shows it.
func TestASecretInAnEnginesErrorIsNotShown(t *testing.T) {
	const secret = "s3cr3t-of-the-database"
	bubble(t, func(t *testing.T, w *world) {
		w.up(func(s *orchestrator.Spec) {
			s.Env, s.Secrets = map[string]string{"URL": secret}, []string{"URL"}
		})
		w.eng.FailNext("StartContainer", fmt.Errorf("exec: URL=%s: %w", secret, orchestrator.ErrCannotStart))
		w.eng.ExternalKill(w.container("n2"), "KILL")
		w.untilState("n2", orchestrator.Failed)
		status, _ := w.Status(t.Context())
		told := []any{status, fmt.Sprint(w.WaitReady(t.Context()))}
		_ = w.Events(t.Context(), 0, false, func(e orchestrator.Event) error { told = append(told, e); return nil })
		text, err := json.Marshal(told)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), secret) || !strings.Contains(string(text), "URL=[secret]") {
			t.Errorf("%s", text)
		}
		w.end()
	})
}

// The second Ctrl-C does not wait for an absent engine.
func TestForceDoesNotWaitForTheEngine(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		away := slices.Repeat([]error{orchestrator.ErrEngineUnreachable}, 1000)
		w.eng.FailNext("StopContainer", away...)
		w.eng.FailNext("Containers", away...)
		w.cancel()
		time.Sleep(time.Second)
		begun := time.Now()
		w.Force()
		if err := <-w.result; !errors.Is(err, orchestrator.ErrEngineUnreachable) {
			t.Errorf("Run returned %v", err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		for _, name := range w.eng.Left() {
			w.eng.ExternalRemove(strings.TrimPrefix(name, "container "))
		}
	})
}

// What the engine does not remove of another cluster, whose process is dead, delays the end of this one
// by two seconds at most.
func TestRemainsThatStayDelayNoEnd(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		dead := keeper.Self(false)
		dead.Start += "0"
		subnet := netip.MustParsePrefix("10.8.0.0/24")
		network, err := w.eng.CreateNetwork(t.Context(), orchestrator.NetworkSpec{Name: "beamyard-dead", Subnet: subnet, Labels: map[string]string{
			orchestrator.LabelCluster: "dead", orchestrator.LabelOwner: manifest.MustJSON(dead),
			orchestrator.LabelSpec: manifest.MustJSON(orchestrator.Spec{Name: "dead"}),
		}})
		if err != nil {
			t.Fatal(err)
		}
		guest, err := w.eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: "guest", Image: "shop:1", NetworkID: network, IP: subnet.Addr().Next().Next()})
		if err == nil {
			err = w.eng.StartContainer(t.Context(), guest)
		}
		if err != nil {
			t.Fatal(err)
		}
		w.up(nil)
		began := time.Now()
		w.cancel()
		if err := <-w.result; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("the end took %s", took)
		}
		if err := errors.Join(w.eng.RemoveContainer(t.Context(), guest), w.eng.RemoveNetwork(t.Context(), network)); err != nil {
			t.Error(err)
		}
	})
}
