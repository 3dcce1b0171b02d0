package network

import "net/netip"

// FreeSubnets counts the free subnets of the usual size, /26, in pool, and all subnets of
// that size in it. The meaning of taken is that in [PickSubnet]. A pool that is not an
// IPv4 range of at least that size has none.
func FreeSubnets(pool netip.Prefix, taken []netip.Prefix) (free, all int) {
	pool = pool.Masked()
	if !pool.Addr().Is4() || pool.Bits() > smallest {
		return 0, 0
	}
	all = 1 << (smallest - pool.Bits())
	used := map[uint32]bool{}
	for _, p := range overlapping(pool, taken) {
		if p.Bits() <= pool.Bits() {
			return 0, all // it covers the whole pool
		}
		first := number(p.Masked().Addr()) >> (32 - smallest)
		for i := range uint32(1) << max(0, smallest-p.Bits()) {
			used[first+i] = true
		}
	}
	return all - len(used), all
}
