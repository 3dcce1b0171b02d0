package cluster_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/codesync"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// slowly is an engine that creates a compiler, or some nodes, slowly, and on which a
// compiler may appear while a cluster is removed.
type slowly struct {
	*enginetest.Engine
	asked  chan struct{} // closed when the compiler is being created
	late   orchestrator.ContainerSpec
	broken string        // a container that does not start
	gate   chan struct{} // n3 and db are created once it is closed
}

func (e *slowly) CreateContainer(ctx context.Context, spec orchestrator.ContainerSpec) (string, error) {
	if spec.Labels[orchestrator.LabelHelper] != "" {
		close(e.asked)
		select {
		case <-time.After(3 * time.Second):
		case <-ctx.Done(): // as a client would; the engine continues
			go func() { time.Sleep(3 * time.Second); _, _ = e.Engine.CreateContainer(ctx, spec) }()
			return "", ctx.Err()
		}
	}
	if n := spec.Labels[orchestrator.LabelNode]; e.gate != nil && (n == "n3" || n == "n4" || n == "db") {
		<-e.gate
	}
	return e.Engine.CreateContainer(ctx, spec)
}

func (e *slowly) StartContainer(ctx context.Context, id string) error {
	if id == e.broken {
		return errors.New("it does not start")
	}
	return e.Engine.StartContainer(ctx, id)
}

func (e *slowly) Networks(ctx context.Context, label map[string]string) ([]orchestrator.Network, error) {
	if e.late.Name != "" && len(label) > 0 { // the removal has listed the containers
		id, err := e.Engine.CreateContainer(ctx, e.late)
		if err == nil {
			err = e.StartContainer(ctx, id)
		}
		if err != nil {
			return nil, err
		}
		e.late.Name = ""
	}
	return e.Engine.Networks(ctx, label)
}

// project creates the folder of a Mix project.
func project(t *testing.T) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mix.exs"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sources makes a spec run shop:1, as if it had been built from the folder.
func sources(dir string) func(*orchestrator.Spec) {
	return func(s *orchestrator.Spec) { s.Source = dir }
}

// `down` while a sync creates the compiler removes the compiler too, and the error of the
// sync says why it ended.
func TestDownEndsSync(t *testing.T) {
	dir := project(t)
	bubble(t, func(t *testing.T, w *world) {
		eng := &slowly{Engine: w.eng, asked: make(chan struct{})}
		w.runOn(eng, sources(dir), cluster.Options{})
		w.ready()
		synced := make(chan error, 1)
		go func() {
			_, err := w.Sync(t.Context(), orchestrator.SyncOptions{})
			synced <- err
		}()
		<-eng.asked
		if err := w.Down(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-synced; !errors.Is(err, orchestrator.ErrClosed) {
			t.Errorf("the sync ended with %v", err)
		}
		if err := <-w.result; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if left := w.eng.Left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		if _, err := w.Sync(t.Context(), orchestrator.SyncOptions{}); !errors.Is(err, orchestrator.ErrClosed) {
			t.Errorf("a sync after the removal: %v", err)
		}
	})
}

// compiler returns the spec of a compiler's container that belongs to a running cluster.
func (w *world) compiler() orchestrator.ContainerSpec {
	w.t.Helper()
	n, err := w.eng.InspectContainer(w.t.Context(), w.container("n1"))
	if err != nil {
		w.t.Fatal(err)
	}
	st, _ := w.Status(w.t.Context())
	labels := map[string]string{orchestrator.LabelHelper: "compiler"}
	for _, l := range []string{orchestrator.LabelCluster, orchestrator.LabelOwner, orchestrator.LabelCreated} {
		labels[l] = n.Labels[l]
	}
	return orchestrator.ContainerSpec{Name: "beamyard-shop-compiler", Image: "shop:1", Hostname: "compiler.shop.test", NetworkID: st.NetworkID, Labels: labels}
}

// A compiler that another process creates while a cluster is removed is removed too.
func TestRemoveLooksAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.run(func(s *orchestrator.Spec) { s.Owner = keeper.Self(true) }, cluster.Options{})
		w.ready()
		eng := &slowly{Engine: w.eng, late: w.compiler()}
		w.cancel() // it is detached: this ends only its supervisor
		if err := <-w.result; err != nil {
			t.Fatal(err)
		}
		removed, err := discovery.Remove(t.Context(), eng, "shop", time.Second)
		if err != nil {
			t.Error(err)
		}
		if len(removed.Containers) != 4 || len(removed.Networks) != 1 {
			t.Errorf("removed %v and %v", removed.Containers, removed.Networks)
		}
		if left := w.eng.Left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// If only a compiler is left of a cluster whose keeper is dead, prune removes it.
func TestPruneFindsCompiler(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		late := w.compiler()
		w.end()
		if _, err := w.eng.CreateContainer(t.Context(), late); err != nil {
			t.Fatal(err)
		}
		w.eng.Relabel("shop", dead(false))
		for _, dry := range []bool{true, false} {
			removed, err := discovery.Prune(t.Context(), w.eng, discovery.PruneOptions{DryRun: dry})
			if err != nil || len(removed) != 1 || strings.Join(removed[0].Containers, " ") != late.Name {
				t.Errorf("pruned (dry: %v) %v: %v", dry, removed, err)
			}
		}
		synctest.Wait()
		if left := w.eng.Left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// A paused node would continue with its old code after it is unpaused. So a sync changes
// nothing, with or without a supervisor.
func TestSyncRefusesPausedNode(t *testing.T) {
	dir := project(t)
	bubble(t, func(t *testing.T, w *world) {
		w.run(func(s *orchestrator.Spec) { s.Source, s.Owner = dir, keeper.Self(true) }, cluster.Options{})
		w.ready()
		w.eng.Pause("beamyard-shop-n2")
		w.untilState("n2", orchestrator.Degraded)
		refused := func(by string, err error) {
			if err == nil || !strings.Contains(err.Error(), "n2 is paused") || orchestrator.HintOf(err).String() != "beamyard unpause shop/n2" {
				t.Errorf("%s: %v", by, err)
			}
		}
		_, err := w.Sync(t.Context(), orchestrator.SyncOptions{})
		refused("supervised", err)
		w.cancel()
		if err := <-w.result; err != nil {
			t.Fatal(err)
		}
		_, err = discovery.Sync(t.Context(), w.eng, "shop", orchestrator.SyncOptions{Nodes: []string{"n2"}})
		refused("by its labels", err)
		if left := w.eng.Left(); len(left) != 4 {
			t.Errorf("there is a compiler: %v", left)
		}
		w.clear()
	})
}

// archived returns an archive of one file.
func archived(t *testing.T, name string, content []byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(name, "/"), Size: int64(len(content)), Mode: 0o644})
	if err == nil {
		_, err = w.Write(content)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A node that is created after a sync began, even for the first time, starts with the
// synced code. A node of another image, or of another build of the sources, does not.
func TestNodeMadeAfterSyncHasCode(t *testing.T) {
	dir := project(t)
	bubble(t, func(t *testing.T, w *world) {
		w.eng.AddImage("db:1")
		eng := &slowly{Engine: w.eng, gate: make(chan struct{})}
		w.runOn(eng, func(s *orchestrator.Spec) {
			s.Source = dir
			s.Nodes = append(s.Nodes, orchestrator.NodeSpec{Name: "db", Image: "db:1"}, orchestrator.NodeSpec{Name: "n4", Image: "db:1", Built: true})
		}, cluster.Options{})
		w.until("n1 has a container", func() bool { return w.node("n1").ContainerID != "" })
		id, err := w.eng.CreateContainer(t.Context(), w.compiler())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.eng.WriteFiles(t.Context(), id, bytes.NewReader(archived(t, codesync.Archive, archived(t, "/app/new.beam", []byte("new"))))); err != nil {
			t.Fatal(err)
		}
		eng.broken = id
		if _, err := w.Sync(t.Context(), orchestrator.SyncOptions{Nodes: []string{"n1", "n2", "n3"}}); err == nil || !strings.Contains(err.Error(), "does not start") {
			t.Fatalf("the sync: %v", err)
		}
		close(eng.gate)
		w.ready()
		for node, want := range map[string]bool{"n1": false, "n3": true, "n4": false, "db": false} { // n1 existed before: the sync itself brings it the code
			_, _, err := w.eng.OpenFile(t.Context(), "beamyard-shop-"+node, "/app/new.beam")
			if has := err == nil; has != want {
				t.Errorf("%s has the code: %v, %v", node, has, err)
			}
		}
		w.end()
	})
}
