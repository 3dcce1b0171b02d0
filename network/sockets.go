package network

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
)

// Listeners reads /proc/net/tcp or tcp6, or both concatenated, and returns the listening
// addresses. It omits sockets on the address of the engine's name server, which each
// container has. An IPv4 address in tcp6 is returned as an IPv4 address.
//
// The table has addresses in the kernel's format, in words of four bytes. Source:
// proc(5); net/ipv4/tcp_ipv4.c and net/ipv6/tcp_ipv6.c of the kernel.
func Listeners(r io.Reader) []netip.AddrPort {
	var found []netip.AddrPort
	for _, l := range listening(r) {
		if l.address == nameServer {
			continue
		}
		if a, ok := kernelAddr(l.address); ok {
			found = append(found, netip.AddrPortFrom(a, l.port))
		}
	}
	return found
}

// kernelAddr reads an address of a little-endian machine's table.
func kernelAddr(text string) (netip.Addr, bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw)%4 != 0 {
		return netip.Addr{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.LittleEndian.Uint32(raw[i:]))
	}
	a, ok := netip.AddrFromSlice(raw)
	return a.Unmap(), ok
}
