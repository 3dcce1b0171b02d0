package discovery_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// A network whose containers the engine is still removing is removed when they are gone. One that
// another container runs in is given up after a second.
func TestRemoveNetworkWaits(t *testing.T) {
	for refusals, want := range map[int]error{0: nil, 90: nil, 200: orchestrator.ErrConflict} {
		synctest.Test(t, func(t *testing.T) {
			eng := enginetest.New("shop:1")
			id, err := eng.CreateNetwork(t.Context(), orchestrator.NetworkSpec{Name: "beamyard-shop", Subnet: netip.MustParsePrefix("10.9.0.0/24")})
			if err != nil {
				t.Fatal(err)
			}
			eng.FailNext("RemoveNetwork", slices.Repeat([]error{orchestrator.ErrConflict}, refusals)...)
			err = discovery.RemoveNetwork(t.Context(), eng, orchestrator.Network{ID: id, Name: "beamyard-shop"})
			if !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("refused %d times: %v", refusals, err)
			}
			if err != nil && !strings.Contains(err.Error(), "it counts containers in it that are gone") {
				t.Errorf("with no container in it: %v", err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		eng := enginetest.New("shop:1")
		subnet := netip.MustParsePrefix("10.9.0.0/24")
		id, err := eng.CreateNetwork(t.Context(), orchestrator.NetworkSpec{Name: "beamyard-shop", Subnet: subnet, Labels: map[string]string{orchestrator.LabelCluster: "shop"}})
		if err != nil {
			t.Fatal(err)
		}
		guest, err := eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: "guest", Image: "shop:1", NetworkID: id, IP: subnet.Addr().Next().Next()})
		if err == nil {
			err = eng.StartContainer(t.Context(), guest)
		}
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err = discovery.RemoveNetwork(t.Context(), eng, orchestrator.Network{ID: id, Name: "beamyard-shop", Labels: map[string]string{orchestrator.LabelCluster: "shop"}})
		if took := time.Since(began); !errors.Is(err, orchestrator.ErrConflict) || took > 2*time.Second {
			t.Errorf("with a guest: %v, after %v", err, took)
		}
		if err := eng.RemoveContainer(t.Context(), guest); err != nil {
			t.Error(err)
		}
	})
}

// What the engine does not remove is not said to be removed. A network that Docker keeps for
// containers that are gone is given up at once by who waits for what a dead process left.
func TestWhatStaysIsNotRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := enginetest.New("shop:1")
		owner := orchestrator.Owner{Host: "here", PID: 7}
		labels := map[string]string{orchestrator.LabelCluster: "shop", orchestrator.LabelOwner: manifest.MustJSON(owner)}
		subnet := netip.MustParsePrefix("10.9.0.0/24")
		id, err := eng.CreateNetwork(t.Context(), orchestrator.NetworkSpec{Name: "beamyard-shop", Subnet: subnet, Labels: labels})
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"goes", "stays"} {
			if _, err := eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: name, Image: "shop:1", NetworkID: id, IP: netip.AddrFrom4([4]byte{10, 9, 0, byte(5 + i)}), Labels: labels}); err != nil {
				t.Fatal(err)
			}
		}
		eng.FailNext("RemoveNetwork", slices.Repeat([]error{orchestrator.ErrConflict}, 1000)...)
		removed, err := discovery.RemoveAll(t.Context(), eng, "shop")
		if diff := cmp.Diff([]string{"goes", "stays"}, removed.Containers); diff != "" || len(removed.Networks) != 0 || !errors.Is(err, orchestrator.ErrConflict) {
			t.Errorf("%v: %s %q", err, diff, removed.Networks)
		}
		if next := orchestrator.HintOf(err).String(); !strings.Contains(next, "beamyard prune") {
			t.Errorf("the hint is %q", next)
		}
		began := time.Now()
		if err := discovery.RemoveOwned(t.Context(), eng, "shop", owner); !errors.Is(err, orchestrator.ErrConflict) || time.Since(began) > 15*time.Second {
			t.Errorf("of a dead process: %v, after %v", err, time.Since(began))
		}
	})
}
