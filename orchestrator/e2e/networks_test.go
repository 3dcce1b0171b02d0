package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// sharedNetwork creates an external network for the duration of the test.
func sharedNetwork(t *testing.T, eng orchestrator.Engine, name string) (id string) {
	t.Helper()
	for {
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 218, byte(rand.N(256)), byte(rand.N(16) * 16)}), 28)
		id, err := eng.CreateNetwork(t.Context(), orchestrator.NetworkSpec{Name: name, Subnet: subnet, Gateway: subnet.Addr().Next()})
		if errors.Is(err, orchestrator.ErrSubnetOverlap) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := eng.RemoveNetwork(context.Background(), id); err != nil {
				t.Errorf("remove %s: %v", name, err)
			}
		})
		return id
	}
}

// get requests a URL from inside a container, and returns the first line of the answer.
const get = `use IO::Socket::INET;
my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => 4000, Timeout => 5) or die "$ARGV[0]: $@\n";
print $s "GET /health HTTP/1.0\r\n\r\n"; print scalar <$s>;`

// Two nodes and a container that is not the cluster's share an external network. Its name
// sorts before the cluster's, so it has the nodes' default route and their first address.
func TestNodesShareANetwork(t *testing.T) {
	t.Parallel()
	eng := engine(t)
	name := fmt.Sprintf("t%08x", rand.Uint32())
	shared := sharedNetwork(t, eng, "a-"+name)
	r := up(t, eng, "trixie", 2, func(s *orchestrator.Spec) {
		s.Name, s.Networks = name, map[string][]string{"a-" + name: nil}
		s.Nodes[0].Networks = map[string][]string{"a-" + name: {"web"}}
	})
	st, _ := r.Status(t.Context())
	guest, err := eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{
		Name: name + "-guest", Image: st.Image, Entrypoint: []string{"sleep"}, Command: []string{"600"}, NetworkID: shared,
	})
	if err != nil {
		t.Fatal(err)
	}
	gone := func() error { return eng.RemoveContainer(context.Background(), guest) }
	t.Cleanup(func() { _ = gone() }) // before the network is removed
	if err := eng.StartContainer(t.Context(), guest); err != nil {
		t.Fatal(err)
	}
	together := func(when string) {
		t.Helper()
		for _, host := range []string{"web", "n1." + name + ".test", "n2." + name + ".test"} {
			result, err := orchestrator.Command(t.Context(), eng, guest, []string{"perl", "-e", get, host})
			if err != nil || !strings.Contains(result.Stdout, " 200 ") {
				t.Errorf("%s: the guest gets no answer from %s: %+v, %v", when, host, result, err)
			}
		}
		for _, n := range []string{"n1", "n2"} {
			at := r.node(n)
			call(t, "GET", at.URL+"/health", nil)
			c, err := eng.InspectContainer(t.Context(), at.ContainerID)
			if err != nil || !c.Attached(shared) || !st.Subnet.Contains(at.IP) || at.IP != c.Address(st.NetworkID) {
				t.Errorf("%s: %s is at %s of %+v, %v", when, n, at.IP, c.Networks, err)
			}
		}
		if got := r.rpc("n2", "length(Node.list())"); got != "1" {
			t.Errorf("%s: n2 sees %s nodes", when, got)
		}
	}
	together("up")
	if err := r.Restart(t.Context(), "n1"); err != nil {
		t.Fatal(err)
	}
	r.ready()
	together("after a restart")

	if err := eng.ConnectNetwork(t.Context(), st.NetworkID, guest, nil); err != nil {
		t.Fatal(err)
	}
	err = r.Down(t.Context())
	if !errors.Is(err, orchestrator.ErrConflict) || !strings.Contains(err.Error(), name+"-guest") ||
		!strings.Contains(orchestrator.HintOf(err).String(), fmt.Sprintf("docker network disconnect beamyard-%[1]s %[1]s-guest\nthen: beamyard down %[1]s", name)) {
		t.Errorf("down with a guest in the cluster's network: %v", err)
	}
	if err := r.end(); !errors.Is(err, orchestrator.ErrConflict) {
		t.Errorf("Run: %v", err)
	}
	if err := gone(); err != nil {
		t.Error(err)
	}
	if _, err := discovery.Remove(t.Context(), eng, name, time.Second); err != nil {
		t.Error(err)
	}
	networks, err := eng.Networks(t.Context(), nil)
	if err != nil || !slices.ContainsFunc(networks, func(n orchestrator.Network) bool { return n.ID == shared }) {
		t.Errorf("the shared network was removed with the cluster: %v", err)
	}
}
