package network

import "net/netip"

// FreeSubnets counts the subnets of the usual size, /26, that pool still has
// room for, and those that it has in all. What lies in taken is told as to
// [PickSubnet]. A pool that is no IPv4 range of that size or larger has none.
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
