package provision

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// Network creates the network of a cluster on a free subnet of its pool. It tries another
// subnet if another process was faster. networks are the engine's; labels returns those of the
// network of a spec that has its subnet. A taken name matches [orchestrator.ErrNameTaken].
func Network(ctx context.Context, eng orchestrator.Networks, s orchestrator.Spec, info orchestrator.EngineInfo, networks []orchestrator.Network, labels func(orchestrator.Spec) map[string]string) (id string, subnet network.Subnet, err error) {
	var taken []netip.Prefix
	for _, n := range networks {
		taken = append(taken, n.Subnets...)
	}
	if info.Local {
		local, err := network.LocalPrefixes()
		if err != nil {
			return "", subnet, err
		}
		taken = append(taken, local...)
	}
	for attempt := 0; ; attempt++ {
		subnet, err := network.PickSubnet(s.Pool, len(s.Nodes), taken, rand.Uint32())
		if err != nil {
			return "", subnet, whoHolds(err, s.Pool, networks)
		}
		s.Subnet = subnet.Prefix
		id, err := eng.CreateNetwork(ctx, orchestrator.NetworkSpec{
			Name: s.Names().Network(), Subnet: subnet.Prefix, Gateway: subnet.Gateway, IPRange: subnet.Dynamic, IPv6: ipv6Subnet(s),
			MTU: info.MTU, Labels: labels(s),
		})
		switch {
		case errors.Is(err, orchestrator.ErrSubnetOverlap) && attempt < 20:
			taken = append(taken, subnet.Prefix)
		case err != nil && !errors.Is(err, orchestrator.ErrNameTaken):
			return "", subnet, fmt.Errorf("create network: %w", err)
		default:
			return id, subnet, err
		}
	}
}

// ipv6Subnet returns a new subnet of unique local addresses. Their 56 random bits make a
// comparison with other networks unnecessary. It is zero if the spec does not use IPv6.
// Source: RFC 4193.
func ipv6Subnet(s orchestrator.Spec) netip.Prefix {
	if !s.Distribution.Inet6 {
		return netip.Prefix{}
	}
	address := [16]byte{0: 0xfd}
	for i := range 7 {
		address[1+i] = byte(rand.Uint32())
	}
	return netip.PrefixFrom(netip.AddrFrom16(address), 64)
}

// whoHolds adds to the error which networks fill a pool, and how to remove each.
func whoHolds(err error, pool netip.Prefix, networks []orchestrator.Network) error {
	var full *network.PoolExhaustedError
	if !errors.As(err, &full) {
		return err
	}
	hints := []hint.Hint{full.Hint()}
	for _, n := range networks {
		if !slices.ContainsFunc(n.Subnets, pool.Overlaps) {
			continue
		}
		remove := hint.Text("docker network rm " + n.Name)
		if cluster := n.Labels[orchestrator.LabelCluster]; cluster != "" {
			remove = hint.Of(hint.Down.On(cluster))
		}
		hints = append(hints, hint.Newf("network %s is in it, made %s: %s", n.Name, n.Created.UTC().Format("2006-01-02 15:04"), remove))
	}
	const most = 6
	if more := len(hints) - most; more > 1 {
		hints = append(hints[:most], hint.Newf("and %d more networks: docker network ls", more))
	}
	return &orchestrator.HintError{Err: err, Next: hint.Lines(hints...)}
}
