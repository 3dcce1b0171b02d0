package network

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestLayout(t *testing.T) {
	for _, tt := range []struct {
		prefix, gateway, dynamic string
		first, last              string
		nodes                    int
	}{
		{"10.213.7.0/26", "10.213.7.1", "10.213.7.48/28", "10.213.7.2", "10.213.7.47", 46},
		{"10.213.7.77/26", "10.213.7.65", "10.213.7.112/28", "10.213.7.66", "10.213.7.111", 46},
		{"10.213.7.0/25", "10.213.7.1", "10.213.7.96/27", "10.213.7.2", "10.213.7.95", 94},
		{"10.0.0.0/8", "10.0.0.1", "10.192.0.0/10", "10.0.0.2", "10.191.255.255", 3<<22 - 2},
		{"10.0.0.8/29", "10.0.0.9", "10.0.0.14/31", "10.0.0.10", "10.0.0.13", 4},
	} {
		s := Layout(netip.MustParsePrefix(tt.prefix))
		got := []string{s.Gateway.String(), s.Dynamic.String(), s.Node(0).String(), s.Node(tt.nodes - 1).String()}
		if diff := cmp.Diff([]string{tt.gateway, tt.dynamic, tt.first, tt.last}, got); diff != "" {
			t.Errorf("%s: %s", tt.prefix, diff)
		}
		if s.Node(tt.nodes).IsValid() || s.Node(-1).IsValid() {
			t.Errorf("%s has an address for a node outside of 0 to %d", tt.prefix, tt.nodes-1)
		}
	}
	for _, p := range []netip.Prefix{{}, netip.MustParsePrefix("10.0.0.0/30"), netip.MustParsePrefix("fd00::/26")} {
		if s := Layout(p); s != (Subnet{}) || s.Node(0).IsValid() {
			t.Errorf("Layout(%v) = %v, want the zero Subnet", p, s)
		}
	}
}

func TestBits(t *testing.T) {
	for nodes, want := range map[int]int{0: 26, 3: 26, 46: 26, 47: 25, 50: 25, 94: 25, 95: 24, 1000: 21} {
		if got := Bits(nodes); got != want {
			t.Errorf("Bits(%d) = %d, want %d", nodes, got, want)
		}
	}
}

func TestPickSubnetGoesAroundThePool(t *testing.T) {
	pool := netip.MustParsePrefix("10.213.0.0/24") // four of /26
	taken := prefixes("10.213.0.128/26", "10.213.0.192/30", "172.17.0.0/16")
	for start, want := range []string{"10.213.0.0/26", "10.213.0.64/26", "10.213.0.0/26", "10.213.0.0/26", "10.213.0.0/26"} {
		s, err := PickSubnet(pool, 3, taken, uint32(start))
		if err != nil || s.Prefix.String() != want {
			t.Errorf("start %d: %v, %v; want %s", start, s.Prefix, err, want)
		}
	}
}

func TestPickSubnetExhausted(t *testing.T) {
	for _, tt := range []struct {
		name, pool string
		nodes      int
		taken      []netip.Prefix
		err, hint  string
	}{
		{
			"full", "10.213.0.0/25", 3, prefixes("10.213.0.0/26", "172.17.0.0/16", "10.213.0.64/26"),
			"the address pool 10.213.0.0/25 has no free /26: taken are 10.213.0.0/26, 10.213.0.64/26",
			"remove clusters that are no longer needed (beamyard prune), or set another range: pool: 10.213.0.0/16 in beamyard.yml",
		},
		{
			"covered by a VPN", "10.213.0.0/16", 3, prefixes("10.0.0.0/8"),
			"the address pool 10.213.0.0/16 has no free /26: taken are 10.0.0.0/8",
			"remove clusters that are no longer needed (beamyard prune), or set another range: pool: 172.30.0.0/16 in beamyard.yml",
		},
		{
			"many", "10.213.0.0/24", 3, prefixes("10.213.0.0/26", "10.213.0.64/26", "10.213.0.128/26", "10.213.0.192/28", "10.213.0.208/28"),
			"the address pool 10.213.0.0/24 has no free /26: taken are 10.213.0.0/26, 10.213.0.64/26, 10.213.0.128/26, and 2 more",
			"remove clusters that are no longer needed (beamyard prune), or set another range: pool: 10.213.0.0/16 in beamyard.yml",
		},
		{
			"nothing left anywhere", "10.213.0.0/24", 3, prefixes("0.0.0.0/0"),
			"the address pool 10.213.0.0/24 has no free /26: taken are 0.0.0.0/0",
			"remove clusters that are no longer needed (beamyard prune)",
		},
		{
			"too small", "10.213.0.0/26", 47, nil,
			"the address pool 10.213.0.0/26 is smaller than the /25 that is needed",
			"remove clusters that are no longer needed (beamyard prune), or set another range: pool: 10.213.0.0/16 in beamyard.yml",
		},
		{
			"IPv6", "fd00::/8", 3, nil,
			"the address pool fd00::/8 is not an IPv4 range",
			"remove clusters that are no longer needed (beamyard prune), or set another range: pool: 10.213.0.0/16 in beamyard.yml",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := PickSubnet(netip.MustParsePrefix(tt.pool), tt.nodes, tt.taken, 1)
			var full *PoolExhaustedError
			if !errors.As(err, &full) {
				t.Fatalf("got %v, want a *PoolExhaustedError", err)
			}
			if diff := cmp.Diff([]string{tt.err, tt.hint}, []string{full.Error(), full.Hint().String()}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPickedSubnetIsFreeAndItsAddressesDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		within := func(lo, hi int) *rapid.Generator[netip.Prefix] {
			return rapid.Custom(func(t *rapid.T) netip.Prefix {
				p := netip.PrefixFrom(address(10<<24+rapid.Uint32Max(1<<24-1).Draw(t, "address")), rapid.IntRange(lo, hi).Draw(t, "bits"))
				return p.Masked()
			})
		}
		pool := within(15, 24).Draw(t, "pool")
		taken := rapid.SliceOfN(within(12, 32), 0, 60).Draw(t, "taken")
		nodes := rapid.IntRange(0, 120).Draw(t, "nodes")
		s, err := PickSubnet(pool, nodes, taken, rapid.Uint32().Draw(t, "start"))
		if err != nil {
			// Then every subnet of the pool must really be taken.
			for at := uint64(number(pool.Addr())); pool.Contains(address(uint32(at))); at += 1 << (32 - Bits(nodes)) {
				if p := netip.PrefixFrom(address(uint32(at)), Bits(nodes)); len(overlapping(p, taken)) == 0 && Bits(nodes) >= pool.Bits() {
					t.Fatalf("%v, but %s is free", err, p)
				}
			}
			return
		}
		if !pool.Overlaps(s.Prefix) || pool.Bits() > s.Prefix.Bits() || len(overlapping(s.Prefix, taken)) > 0 {
			t.Fatalf("picked %s from %s with %v taken", s.Prefix, pool, taken)
		}
		seen := map[netip.Addr]bool{s.Prefix.Addr(): true, s.Gateway: true}
		for i := range nodes {
			a := s.Node(i)
			if seen[a] || !s.Prefix.Contains(a) || s.Dynamic.Contains(a) {
				t.Fatalf("node %d of %d has %s in %+v", i, nodes, a, s)
			}
			seen[a] = true
		}
	})
}

func TestParseRoutes(t *testing.T) {
	const header = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the lines below are what a little-endian kernel prints")
	}
	got, err := parseRoutes(reader(header +
		"eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n" + // default
		"tun0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n" + // 0.0.0.0/1
		"tun0\t00000080\t0102A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n" + // 128.0.0.0/1
		"tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n" +
		"eth0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(prefixes("10.0.0.0/8", "192.168.2.0/24"), got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"e 0 0 0 0 0 0 0", "e 00000000 0 0 0 0 0 zzzzzzzz"} {
		if _, err := parseRoutes(reader(bad)); err == nil {
			t.Errorf("parseRoutes(%q) returned no error", bad)
		}
	}
}

func TestThisMachine(t *testing.T) {
	own, err := LocalPrefixes()
	if err != nil {
		t.Fatal(err)
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	if len(overlapping(netip.PrefixFrom(loopback, 32), own)) == 0 {
		t.Errorf("the loopback is not among %v", own)
	}
	if !Reachable(loopback) {
		t.Error("our own address is not reachable")
	}
	if Reachable(netip.MustParseAddr("203.0.113.1")) { // TEST-NET-3 (RFC 5737)
		t.Error("an address of another network is reachable")
	}
}

func prefixes(s ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func TestSpareAddresses(t *testing.T) {
	s, taken := Layout(netip.MustParsePrefix("10.213.7.0/26")), map[netip.Addr]bool{}
	for _, want := range []string{"10.213.7.5", "10.213.7.6"} {
		ip := s.Spare(3, taken)
		if ip.String() != want {
			t.Errorf("%s, want %s", ip, want)
		}
		taken[ip] = true
	}
	if ip := s.Spare(46, taken); ip.IsValid() || s.Dynamic.Contains(s.Spare(45, taken)) {
		t.Errorf("of a full subnet: %s", ip)
	}
}
