package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// These tests are about adoptions that are interrupted or fail (promise 9 of the design),
// and about containers that were never completed.

// gated is an engine whose calls pass a gate. If the gate returns an error, the call
// returns it and does nothing.
type gated struct {
	*enginetest.Engine
	gate func(ctx context.Context, call string) error
}

func (g *gated) Info(ctx context.Context) (orchestrator.EngineInfo, error) {
	if err := g.gate(ctx, "Info"); err != nil {
		return orchestrator.EngineInfo{}, err
	}
	return g.Engine.Info(ctx)
}

func (g *gated) Networks(ctx context.Context, labels map[string]string) ([]orchestrator.Network, error) {
	if err := g.gate(ctx, "Networks"); err != nil {
		return nil, err
	}
	return g.Engine.Networks(ctx, labels)
}

func (g *gated) RemoveNetwork(ctx context.Context, id string) error {
	if err := g.gate(ctx, "RemoveNetwork"); err != nil {
		return err
	}
	return g.Engine.RemoveNetwork(ctx, id)
}

func (g *gated) ConnectNetwork(ctx context.Context, network, id string, aliases []string) error {
	if err := g.gate(ctx, "ConnectNetwork"); err != nil {
		return err
	}
	return g.Engine.ConnectNetwork(ctx, network, id, aliases)
}

func (g *gated) Containers(ctx context.Context, labels map[string]string) ([]orchestrator.Container, error) {
	if err := g.gate(ctx, "Containers"); err != nil {
		return nil, err
	}
	return g.Engine.Containers(ctx, labels)
}

func (g *gated) InspectContainer(ctx context.Context, id string) (orchestrator.Container, error) {
	if err := g.gate(ctx, "InspectContainer"); err != nil {
		return orchestrator.Container{}, err
	}
	return g.Engine.InspectContainer(ctx, id)
}

func (g *gated) CreateContainer(ctx context.Context, c orchestrator.ContainerSpec) (string, error) {
	if err := g.gate(ctx, "CreateContainer"); err != nil {
		return "", err
	}
	return g.Engine.CreateContainer(ctx, c)
}

func (g *gated) StartContainer(ctx context.Context, id string) error {
	if err := g.gate(ctx, "StartContainer"); err != nil {
		return err
	}
	return g.Engine.StartContainer(ctx, id)
}

func (g *gated) StopContainer(ctx context.Context, id string, grace time.Duration) error {
	if err := g.gate(ctx, "StopContainer"); err != nil {
		return err
	}
	return g.Engine.StopContainer(ctx, id, grace)
}

func (g *gated) RemoveContainer(ctx context.Context, id string) error {
	if err := g.gate(ctx, "RemoveContainer"); err != nil {
		return err
	}
	return g.Engine.RemoveContainer(ctx, id)
}

func (g *gated) OpenFile(ctx context.Context, id, path string) (io.ReadCloser, time.Time, error) {
	if err := g.gate(ctx, "OpenFile"); err != nil {
		return nil, time.Time{}, err
	}
	return g.Engine.OpenFile(ctx, id, path)
}

func (g *gated) WriteFiles(ctx context.Context, id string, archive io.Reader) error {
	if err := g.gate(ctx, "WriteFiles"); err != nil {
		return err
	}
	return g.Engine.WriteFiles(ctx, id, archive)
}

func (g *gated) Events(ctx context.Context, since time.Time, labels map[string]string, ready func(), fn func(orchestrator.ContainerEvent)) error {
	if err := g.gate(ctx, "Events"); err != nil {
		return err
	}
	return g.Engine.Events(ctx, since, labels, ready, fn)
}

func (g *gated) Logs(ctx context.Context, id string, since time.Time, follow bool) (orchestrator.LogReader, error) {
	if err := g.gate(ctx, "Logs"); err != nil {
		return nil, err
	}
	return g.Engine.Logs(ctx, id, since, follow)
}

var _ orchestrator.Engine = (*gated)(nil)

// unsupervised starts a detached cluster with a file in each node, ends its supervisor,
// and removes n2. n3 is left as by a supervisor that was killed between its creation and
// its start. It returns the edit of the spec that adopts the cluster.
func (w *world) unsupervised(file string) func(*orchestrator.Spec) {
	w.t.Helper()
	detached := func(s *orchestrator.Spec) {
		s.Owner, s.Cookie = keeper.Self(true), "the_same"
		s.Files = map[string]string{"/etc/app.conf": file}
	}
	w.up(detached)
	n2, n3 := w.container("n2"), w.container("n3")
	w.cancel()
	if err := <-w.result; err != nil {
		w.t.Fatal(err)
	}
	c, err := w.eng.InspectContainer(w.t.Context(), n3)
	if err != nil {
		w.t.Fatal(err)
	}
	w.eng.ExternalRemove(n2)
	w.eng.ExternalRemove(n3)
	network := c.Networks[0].Network
	if _, err = w.eng.CreateContainer(w.t.Context(), orchestrator.ContainerSpec{
		Name: n3, Image: "shop:1", Hostname: "n3.shop.test", Labels: c.Labels, NetworkID: network, IP: c.Address(network), Ports: c.Ports,
	}); err != nil {
		w.t.Fatal(err)
	}
	return detached
}

func confFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "app.conf")
	if err := os.WriteFile(file, []byte("a = b"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// whole checks that a cluster is unchanged: n1 is still in the same run, and the network
// exists.
func (w *world) whole(when string, n1 orchestrator.Container) {
	w.t.Helper()
	c, err := w.eng.InspectContainer(context.Background(), n1.ID)
	if err != nil || !c.State.Running || !c.State.StartedAt.Equal(n1.State.StartedAt) {
		w.t.Errorf("%s: n1 is not in the same run: %+v, %v", when, c.State, err)
	}
	if left := w.eng.Left(); !slices.Contains(left, "network beamyard-shop") {
		w.t.Errorf("%s: the network is gone: %v", when, left)
	}
}

// An adoption that ends at any of its calls to the engine removes nothing, whether it is
// interrupted or the call fails, and whether its owner is detached or not.
func TestAnInterruptedAdoptionLeavesTheCluster(t *testing.T) {
	broken := errors.New("the disk is full")
	file := confFile(t)
	ends := map[string]func(ctx context.Context, w *world) error{
		"interrupted before the call":            func(_ context.Context, w *world) error { w.cancel(); return context.Canceled },
		"interrupted, and the call goes through": func(_ context.Context, w *world) error { w.cancel(); return nil },
		"the call fails":                         func(context.Context, *world) error { return broken },
		"the engine goes away":                   func(context.Context, *world) error { return orchestrator.ErrEngineUnreachable },
	}
	for _, owned := range []bool{true, false} {
		for name, end := range ends {
			t.Run(fmt.Sprintf("%s, detached %t", name, owned), func(t *testing.T) {
				for k := 1; ; k++ {
					reached := ""
					bubble(t, func(t *testing.T, w *world) {
						detached := w.unsupervised(file)
						n1, err := w.eng.InspectContainer(t.Context(), w.container("n1"))
						if err != nil {
							t.Fatal(err)
						}
						var mu sync.Mutex
						calls := 0
						eng := &gated{w.eng, func(ctx context.Context, call string) error {
							mu.Lock()
							calls++
							now := calls == k || calls > k && name == "the engine goes away"
							if calls == k {
								reached = call
							}
							mu.Unlock()
							if now {
								return end(ctx, w)
							}
							return nil
						}}
						w.runOn(eng, func(s *orchestrator.Spec) {
							detached(s)
							s.Owner = keeper.Self(owned)
						}, cluster.Options{Adopt: true})
						at := func() string {
							mu.Lock()
							defer mu.Unlock()
							return fmt.Sprintf("at call %d, %s", k, reached)
						}
						select {
						case err = <-w.result:
						case <-time.After(35 * time.Second): // it continues
							w.whole(at(), n1)
							w.cancel()
							err = <-w.result
						}
						w.whole(fmt.Sprintf("%s: %v", at(), err), n1)
						w.clear()
					})
					if reached == "" || t.Failed() {
						break
					}
				}
			})
		}
	}
}

// An engine that answers slowly, for example after a restart, ends the adoption but not
// the cluster.
func TestASlowEngineDoesNotEndTheCluster(t *testing.T) {
	file := confFile(t)
	bubble(t, func(t *testing.T, w *world) {
		detached := w.unsupervised(file)
		n1, err := w.eng.InspectContainer(t.Context(), w.container("n1"))
		if err != nil {
			t.Fatal(err)
		}
		slow := &gated{w.eng, func(ctx context.Context, call string) error {
			if call == "Events" {
				<-ctx.Done()
			}
			return ctx.Err()
		}}
		w.runOn(slow, detached, cluster.Options{Adopt: true})
		if err := <-w.result; !errors.Is(err, orchestrator.ErrEngineUnreachable) {
			t.Errorf("Run: %v", err)
		}
		w.whole("after an adoption that failed", n1)
		w.run(detached, cluster.Options{Adopt: true})
		w.ready()
		w.whole("after one that did not", n1)
		w.clear()
		w.cancel()
		<-w.result
	})
}

// The network of a cluster whose containers are all gone is kept: that the cluster does
// not form in time is no reason to remove it.
func TestAnAdoptionThatDoesNotFormRemovesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		detached := func(s *orchestrator.Spec) { s.Owner, s.Cookie = keeper.Self(true), "the_same" }
		w.up(detached)
		names := []string{w.container("n1"), w.container("n2"), w.container("n3")}
		w.cancel()
		if err := <-w.result; err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			w.eng.ExternalRemove(name)
		}
		w.vms.noApp = true
		w.run(detached, cluster.Options{Adopt: true})
		select {
		case err := <-w.result:
			t.Errorf("Run: %v", err)
		case <-time.After(2 * time.Minute):
		}
		if left := w.eng.Left(); len(left) != 4 {
			t.Errorf("left %v", left)
		}
		w.vms.mu.Lock()
		w.vms.noApp = false
		w.vms.mu.Unlock()
		w.ready()
		if err := w.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.end()
	})
}

// file returns the content of a file in a container, or "" if it does not exist.
func (w *world) file(container, path string) string {
	content, _, err := w.eng.OpenFile(context.Background(), container, path)
	if err != nil {
		return ""
	}
	defer content.Close()
	text, _ := io.ReadAll(content)
	return string(text)
}

// A container in the state `created` lacks what its supervisor had not yet added. It is
// created again, with its ports and address.
func TestAContainerThatWasNeverStartedIsCreatedAgain(t *testing.T) {
	file := confFile(t)
	bubble(t, func(t *testing.T, w *world) {
		detached := w.unsupervised(file)
		before, err := w.eng.InspectContainer(t.Context(), "beamyard-shop-n3")
		if err != nil {
			t.Fatal(err)
		}
		w.run(detached, cluster.Options{Adopt: true})
		w.ready()
		after, err := w.eng.InspectContainer(t.Context(), "beamyard-shop-n3")
		if err != nil {
			t.Fatal(err)
		}
		if text := w.file("beamyard-shop-n3", "/etc/app.conf"); text != "a = b" {
			t.Errorf("it was started without its file: %q", text)
		}
		if after.ID == before.ID || !slices.Equal(after.Ports, before.Ports) || w.node("n3").IP != before.Networks[0].IP {
			t.Errorf("before %+v\nafter  %+v", before, after)
		}
		if err := w.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.end()
	})
}

// If the preparation of a container fails, the next start creates a complete one.
func TestAnIncompleteContainerIsNeverStarted(t *testing.T) {
	broken := errors.New("the disk is full")
	for name, failing := range map[string]map[string]error{
		"a file is missing":     {},
		"attach fails":          {"ConnectNetwork": broken},
		"provision fails":       {"WriteFiles": broken},
		"overlay fails":         {"OpenFile": broken},
		"and cannot be removed": {"WriteFiles": broken, "RemoveContainer": broken},
		"the engine goes away":  {"WriteFiles": orchestrator.ErrEngineUnreachable, "RemoveContainer": orchestrator.ErrEngineUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			file := confFile(t)
			bubble(t, func(t *testing.T, w *world) {
				var bad atomic.Bool
				eng := &gated{w.eng, func(_ context.Context, call string) error {
					if bad.Load() {
						return failing[call]
					}
					return nil
				}}
				w.shared()
				w.eng.AddImage("compiler:1")
				w.runOn(eng, func(s *orchestrator.Spec) {
					s.Files = map[string]string{"/etc/app.conf": file}
					s.Networks = map[string][]string{"a-shared": nil}
					s.Nodes[1].Volumes = map[string]string{"data": "/data"}
				}, cluster.Options{})
				w.ready()
				if name == "overlay fails" { // there was a sync
					c, err := w.eng.InspectContainer(t.Context(), w.container("n1"))
					if err != nil {
						t.Fatal(err)
					}
					if _, err := w.eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{
						Name: "beamyard-shop-compiler", Image: "compiler:1", Labels: map[string]string{
							orchestrator.LabelCluster: "shop", orchestrator.LabelHelper: "compiler", orchestrator.LabelOwner: c.Labels[orchestrator.LabelOwner],
						},
					}); err != nil {
						t.Fatal(err)
					}
				}
				w.eng.ExternalRemove(w.container("n2"))
				w.untilState("n2", orchestrator.Stopped)
				bad.Store(true)
				if name == "a file is missing" {
					if err := os.Rename(file, file+".away"); err != nil {
						t.Fatal(err)
					}
				}
				if err := w.Start(t.Context(), "n2"); err == nil {
					t.Fatal("an incomplete container was started")
				}
				w.untilState("n2", orchestrator.Failed)
				if n := w.node("n2"); n.ContainerID != "" {
					t.Errorf("it still has container %s", n.ContainerID)
				}
				bad.Store(false)
				if name == "a file is missing" {
					if err := os.Rename(file+".away", file); err != nil {
						t.Fatal(err)
					}
				}
				if err := w.Start(t.Context(), "n2"); err != nil {
					t.Fatal(err)
				}
				w.ready()
				if text := w.file("beamyard-shop-n2", "/etc/app.conf"); text != "a = b" {
					t.Errorf("it was started without its file: %q", text)
				}
				if names := w.eng.Aliases("beamyard-shop-n2", "a-shared"); len(names) == 0 {
					t.Error("it was started without its other network")
				}
				w.cancel()
				<-w.result
				w.clear()
			})
		})
	}
}
