package network

import (
	"encoding/hex"
	"io"
	"net/netip"
	"slices"
)

// LoopbackPorts reads the same input as [ListeningPorts], and returns the ports that have
// listeners only on loopback addresses: other hosts cannot reach those. It assumes the
// byte order of a little-endian machine.
func LoopbackPorts(r io.Reader) []int {
	outside := map[uint16]bool{}
	for _, l := range listening(r) {
		if l.address != nameServer {
			outside[l.port] = outside[l.port] || !isLoopback(l.address)
		}
	}
	var ports []int
	for port, reached := range outside {
		if !reached {
			ports = append(ports, int(port))
		}
	}
	slices.Sort(ports)
	return ports
}

// isLoopback reads an address of /proc/net/tcp or tcp6: words of 32 bits, each in
// the machine's byte order, in hexadecimal.
func isLoopback(address string) bool {
	b, err := hex.DecodeString(address)
	if err != nil || len(b) != 4 && len(b) != 16 {
		return false
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	ip, _ := netip.AddrFromSlice(b)
	return ip.Unmap().IsLoopback()
}
