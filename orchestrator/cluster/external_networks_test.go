package cluster_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// shared creates an external network, which sorts before the cluster's.
func (w *world) shared() (id string) {
	w.t.Helper()
	id, err := w.eng.CreateNetwork(w.t.Context(), orchestrator.NetworkSpec{Name: "a-shared", Subnet: netip.MustParsePrefix("172.30.0.0/24"), Gateway: netip.MustParseAddr("172.30.0.1")})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// guest runs a container that is not the cluster's in a network.
func (w *world) guest(name, network string) (id string) {
	w.t.Helper()
	id, err := w.eng.CreateContainer(w.t.Context(), orchestrator.ContainerSpec{Name: name, Image: "shop:1", NetworkID: network, Hostname: name})
	if err == nil {
		err = w.eng.StartContainer(w.t.Context(), id)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func TestNodesInAnExternalNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id := w.shared()
		w.guest("db", id)
		detached := func(s *orchestrator.Spec) {
			s.Owner, s.Cookie = keeper.Self(true), "the_same"
			s.Networks = map[string][]string{"a-shared": {"web"}}
			s.Nodes[1].Networks = map[string][]string{"a-shared": nil}
		}
		attached := func(when string) {
			t.Helper()
			st, _ := w.Status(t.Context())
			for i, n := range st.Nodes {
				c, err := w.eng.InspectContainer(t.Context(), n.ContainerID)
				if err != nil {
					t.Fatal(err)
				}
				aliases := []string{n.Name + ".shop.test", "web"}
				if i == 1 {
					aliases = aliases[:1]
				}
				if !c.Attached(id) || !slices.Equal(w.eng.Aliases(n.Container, "a-shared"), aliases) {
					t.Errorf("%s: %s is in %v as %v", when, n.Name, c.Networks, w.eng.Aliases(n.Container, "a-shared"))
				}
				if !st.Subnet.Contains(n.IP) || n.IP != c.Address(st.NetworkID) {
					t.Errorf("%s: %s is at %s, not in %s", when, n.Name, n.IP, st.Subnet)
				}
			}
			found, err := discovery.Find(t.Context(), w.eng, "shop")
			if err != nil {
				t.Fatal(err)
			}
			for i, n := range found.Nodes {
				if n.IP != st.Nodes[i].IP {
					t.Errorf("%s: %s is found at %s", when, n.Name, n.IP)
				}
			}
		}
		w.up(detached)
		attached("up")
		if err := w.Kill(t.Context(), "KILL", "n1"); err != nil {
			t.Fatal(err)
		}
		w.until("n1 is back", func() bool { n := w.node("n1"); return n.Incarnation == 2 && n.State == orchestrator.Ready })
		attached("after a crash")

		n2, n3 := w.container("n2"), w.container("n3")
		w.cancel()
		if err := <-w.result; err != nil {
			t.Fatal(err)
		}
		// A supervisor was killed between the creation of a container and the next step.
		c, err := w.eng.InspectContainer(t.Context(), n3)
		if err != nil {
			t.Fatal(err)
		}
		network := c.Networks[1].Network
		w.eng.ExternalRemove(n2)
		w.eng.ExternalRemove(n3)
		_, err = w.eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{
			Name: n3, Image: "shop:1", Hostname: "n3.shop.test", Labels: c.Labels, NetworkID: network, IP: c.Address(network), Ports: c.Ports,
		})
		if err != nil {
			t.Fatal(err)
		}
		w.run(detached, cluster.Options{Adopt: true})
		w.ready()
		attached("adopted")
		if err := w.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-w.result; err != nil {
			t.Error(err)
		}
		if left := w.eng.Left(); !slices.Equal(left, []string{"container db", "network a-shared"}) {
			t.Errorf("left: %v", left)
		}
		w.eng.ExternalRemove("db")
	})
}

// If a network is missing, nothing is created, not even an image.
func TestAMissingNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run(func(s *orchestrator.Spec) {
			s.Image, s.Source = "", t.TempDir() // this cannot be built
			s.Networks = map[string][]string{"shared": nil}
		}, cluster.Options{})
		err := w.fails()
		if !errors.Is(err, orchestrator.ErrNotFound) || orchestrator.HintOf(err).String() != "make it: docker network create shared\nor see which there are: docker network ls" {
			t.Errorf("%v, hint %v", err, orchestrator.HintOf(err))
		}
	})
}

// A container that is not the cluster's keeps the cluster's network in use. The error
// names it.
func TestDownNamesContainersInTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.up(nil)
		st, _ := w.Status(t.Context())
		w.guest("pg", st.NetworkID)
		idle := w.guest("idle", st.NetworkID)
		if err := w.eng.KillContainer(t.Context(), idle, "KILL"); err != nil { // a stopped container does not keep it in use
			t.Fatal(err)
		}
		err := w.Down(t.Context())
		if !errors.Is(err, orchestrator.ErrConflict) || err.Error() != "remove network beamyard-shop: other containers are attached to it: pg" ||
			orchestrator.HintOf(err).String() != "take it off: docker network disconnect beamyard-shop pg\nthen: beamyard down shop" {
			t.Errorf("%v", err)
		}
		if ran := <-w.result; !errors.Is(ran, orchestrator.ErrConflict) {
			t.Errorf("Run: %v", ran)
		}
		w.eng.ExternalRemove("pg")
		if _, err := discovery.Remove(t.Context(), w.eng, "shop", time.Second); err != nil {
			t.Error(err)
		}
		w.eng.ExternalRemove("idle")
		w.clear()
	})
}
