package discovery_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
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
