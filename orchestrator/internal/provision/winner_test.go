package provision

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
)

// The owner of the older of two networks of one name waits until the other one is gone, or has
// containers. The owner of the younger one gives way at once.
func TestWinner(t *testing.T) {
	for name, tt := range map[string]struct {
		younger bool // this process's network is
		then    func(t *testing.T, eng *enginetest.Engine, rival string)
		wins    bool
		after   time.Duration
	}{
		"the younger gives way": {younger: true},
		"the rival gives way": {then: func(t *testing.T, eng *enginetest.Engine, rival string) {
			if err := eng.RemoveNetwork(t.Context(), rival); err != nil {
				t.Error(err)
			}
		}, wins: true, after: time.Second},
		"the rival goes on": {then: func(t *testing.T, eng *enginetest.Engine, _ string) {
			spec := orchestrator.ContainerSpec{Name: "beamyard-shop-n1", Image: "shop:1", Labels: labels("theirs")}
			if _, err := eng.CreateContainer(t.Context(), spec); err != nil {
				t.Error(err)
			}
		}, after: time.Second},
		"the rival was killed": {after: verdict},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				eng := enginetest.New("shop:1")
				create := func(owner, subnet string) string {
					id, err := eng.CreateNetwork(t.Context(), orchestrator.NetworkSpec{Name: owner, Subnet: netip.MustParsePrefix(subnet), Labels: labels(owner)})
					if err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Millisecond)
					return id
				}
				older, younger := create("ours", "10.9.0.0/24"), create("theirs", "10.9.1.0/24")
				ours, theirs := older, younger
				if tt.younger {
					ours, theirs = younger, older
				}
				// What is left of an earlier cluster of that name says nothing.
				if _, err := eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: "beamyard-shop-n2", Image: "shop:1", Labels: labels("earlier")}); err != nil {
					t.Fatal(err)
				}
				if tt.then != nil {
					time.AfterFunc(time.Second, func() { tt.then(t, eng, theirs) })
				}
				want, began := theirs, time.Now()
				if tt.wins {
					want = ours
				}
				got, err := Winner(t.Context(), eng, "shop", ours)
				if took := time.Since(began); got != want || err != nil || took < tt.after || took > tt.after+look {
					t.Errorf("%s wins after %v, %v", got, took, err)
				}
			})
		})
	}
}

func labels(owner string) map[string]string {
	return map[string]string{orchestrator.LabelCluster: "shop", orchestrator.LabelCreated: owner}
}
