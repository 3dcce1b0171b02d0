package discovery_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
)

// The hint for a misspelled cluster lists the existing clusters, and the nearest name
// first.
func TestAnUnknownCluster(t *testing.T) {
	eng := enginetest.New()
	hint := func(cluster string) string {
		t.Helper()
		_, err := discovery.Find(t.Context(), eng, cluster)
		if !errors.Is(err, orchestrator.ErrNoCluster) || len(orchestrator.HintOf(err)) == 0 {
			t.Fatalf("%s: %v", cluster, err)
		}
		return orchestrator.HintOf(err).String()
	}
	if got := hint("shop"); got != "no cluster is up; start one: beamyard up" {
		t.Error(got)
	}
	for i, name := range []string{"shop", "demo"} {
		subnet := network.Layout(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 213, byte(i), 0}), 27))
		if _, err := eng.CreateNetwork(t.Context(), orchestrator.NetworkSpec{
			Name: "beamyard-" + name, Subnet: subnet.Prefix, Gateway: subnet.Gateway, Labels: map[string]string{orchestrator.LabelCluster: name},
		}); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"shpo": "did you mean shop? up: demo, shop", "other": "up: demo, shop"} {
		if got := hint(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
