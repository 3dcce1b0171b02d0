package network

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// DefaultPool is the range from which clusters get their subnets: 1024 of /26. It
// overlaps with none of the engine's own pools (172.17–31 and 192.168), nor with the
// usual ranges of home routers, Kubernetes (10.96, 10.244) and cloud networks (10.0).
var DefaultPool = netip.MustParsePrefix("10.213.0.0/16")

// smallest is the usual prefix length: 46 nodes.
const smallest = 26

// Subnet is the address plan of one cluster's network.
type Subnet struct {
	Prefix  netip.Prefix // 10.213.7.0/26
	Gateway netip.Addr   // 10.213.7.1, the engine's bridge
	// Dynamic is the upper quarter, 10.213.7.48/28: the engine's ip_range for containers
	// without a fixed address. Node addresses lie between the gateway and Dynamic, so
	// that another container on the network never takes a stopped node's address.
	Dynamic netip.Prefix
}

// Layout plans an IPv4 prefix of /29 or larger. For any other prefix it returns the zero
// Subnet.
func Layout(prefix netip.Prefix) Subnet {
	if !prefix.Addr().Is4() || prefix.Bits() < 0 || prefix.Bits() > 29 {
		return Subnet{}
	}
	prefix = prefix.Masked()
	first := number(prefix.Addr())
	quarter := uint32(1) << (30 - prefix.Bits())
	return Subnet{
		Prefix:  prefix,
		Gateway: address(first + 1),
		Dynamic: netip.PrefixFrom(address(first+3*quarter), prefix.Bits()+2),
	}
}

// Node returns the address of the i-th node, counted from 0: 10.213.7.2, .3, … It returns
// the zero Addr if the subnet has no room for it.
func (s Subnet) Node(i int) netip.Addr {
	if !s.Prefix.IsValid() || i < 0 || i >= capacity(s.Prefix.Bits()) {
		return netip.Addr{}
	}
	return address(number(s.Gateway) + 1 + uint32(i))
}

// Spare returns the first address above those of as many nodes that is not taken. It returns the
// zero Addr if there is none.
func (s Subnet) Spare(nodes int, taken map[netip.Addr]bool) netip.Addr {
	for ip := s.Node(nodes); ip.IsValid(); ip = s.Node(nodes) {
		if !taken[ip] {
			return ip
		}
		nodes++
	}
	return netip.Addr{}
}

// Bits returns the prefix length that a cluster of this many nodes needs: 26, or less (a
// larger subnet) if they do not fit below the dynamic quarter.
func Bits(nodes int) int {
	b := smallest
	for b > 0 && capacity(b) < nodes {
		b--
	}
	return b
}

// capacity is how many nodes a prefix length has room for: three quarters, less
// the network's own address and the gateway.
func capacity(bits int) int { return 3<<(30-bits) - 2 }

// PickSubnet returns a free subnet of pool for this many nodes. It returns the first
// subnet that does not overlap with taken, starting with the subnet numbered start
// (modulo their number) and wrapping around. Pass a random start. If the pool is full,
// too small or not IPv4, the error is a [*PoolExhaustedError].
func PickSubnet(pool netip.Prefix, nodes int, taken []netip.Prefix, start uint32) (Subnet, error) {
	pool = pool.Masked()
	length := Bits(nodes)
	if p, ok := pick(pool, length, taken, start); ok {
		return Layout(p), nil
	}
	err := &PoolExhaustedError{Pool: pool, Bits: length, Taken: overlapping(pool, taken)}
	for _, other := range otherPools {
		if _, ok := pick(other, length, taken, 0); ok {
			err.Try = other
			break
		}
	}
	return Subnet{}, err
}

// otherPools are proposed in place of one that is full, in this order.
var otherPools = []netip.Prefix{
	DefaultPool,
	netip.MustParsePrefix("10.117.0.0/16"),
	netip.MustParsePrefix("172.30.0.0/16"),
	netip.MustParsePrefix("192.168.192.0/18"),
	netip.MustParsePrefix("198.18.0.0/15"), // for benchmarks (RFC 2544), the last resort
}

func pick(pool netip.Prefix, length int, taken []netip.Prefix, start uint32) (netip.Prefix, bool) {
	if !pool.Addr().Is4() || length < pool.Bits() {
		return netip.Prefix{}, false
	}
	taken = overlapping(pool, taken)
	size, count := uint64(1)<<(32-length), uint64(1)<<(length-pool.Bits())
	for i := range count {
		at := uint64(number(pool.Addr())) + (uint64(start)+i)%count*size
		if p := netip.PrefixFrom(address(uint32(at)), length); len(overlapping(p, taken)) == 0 {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

func overlapping(p netip.Prefix, others []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, o := range others {
		if p.Overlaps(o) {
			out = append(out, o)
		}
	}
	return out
}

// PoolExhaustedError reports a pool without room for another subnet.
type PoolExhaustedError struct {
	Pool  netip.Prefix
	Bits  int            // the requested prefix length
	Taken []netip.Prefix // ranges within the pool, or covering it
	Try   netip.Prefix   // a pool that has room; zero if none is known
}

func (e *PoolExhaustedError) Error() string {
	switch {
	case !e.Pool.Addr().Is4():
		return fmt.Sprintf("the address pool %s is not an IPv4 range", e.Pool)
	case e.Pool.Bits() > e.Bits:
		return fmt.Sprintf("the address pool %s is smaller than the /%d that is needed", e.Pool, e.Bits)
	}
	const show = 3
	var names []string
	for _, p := range e.Taken[:min(show, len(e.Taken))] {
		names = append(names, p.String())
	}
	if more := len(e.Taken) - show; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("the address pool %s has no free /%d: taken are %s", e.Pool, e.Bits, strings.Join(names, ", "))
}

// Hint suggests a pool that has room, if one is known.
func (e *PoolExhaustedError) Hint() hint.Hint {
	free := hint.Newf("remove clusters that are no longer needed (%s)", hint.Prune.With())
	if !e.Try.IsValid() {
		return free
	}
	return hint.Newf("%s, or set another range: %s", free, hint.Setting("pool: "+e.Try.String()))
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func address(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}
