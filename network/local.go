package network

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
)

// LocalPrefixes returns the IPv4 ranges that this machine uses: those of its interfaces
// and, on Linux, of the main routing table, so that a new network does not shadow a VPN.
// It omits default routes, including one split in two (0.0.0.0/1 and 128.0.0.0/1, as
// OpenVPN sets it): they would cover every pool.
func LocalPrefixes() ([]netip.Prefix, error) {
	found, err := interfacePrefixes()
	if err != nil {
		return nil, err
	}
	f, err := os.Open("/proc/net/route")
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil // not Linux
	}
	if err != nil {
		return nil, fmt.Errorf("read routes: %w", err)
	}
	defer f.Close()
	routes, err := parseRoutes(f)
	if err != nil {
		return nil, fmt.Errorf("read routes: %w", err)
	}
	return append(found, routes...), nil
}

// Reachable reports whether this process can dial the addresses of a bridge network: one
// of this machine's interfaces has the gateway's address. It is false with a remote
// engine, an engine in a virtual machine, and inside a container.
func Reachable(gateway netip.Addr) bool {
	own, err := interfacePrefixes()
	if err != nil {
		return false
	}
	for _, p := range own {
		if p.Addr() == gateway.Unmap() {
			return true
		}
	}
	return false
}

// Joined reports whether one of this machine's interfaces has an address in a network.
// That is the case in a container that is attached to the network.
func Joined(subnet netip.Prefix) bool {
	own, err := interfacePrefixes()
	if err != nil {
		return false
	}
	for _, p := range own {
		if p.Bits() == subnet.Bits() && subnet.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

// interfacePrefixes keeps each interface's own address, unmasked.
func interfacePrefixes() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var out []netip.Prefix
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		if ones, size := n.Mask.Size(); ok && ip.Unmap().Is4() {
			out = append(out, netip.PrefixFrom(ip.Unmap(), ones-(size-32)))
		}
	}
	return out, nil
}

// parseRoutes reads /proc/net/route: a header, then a route per line, whose
// second and eighth field are destination and mask as hexadecimal numbers in the
// machine's byte order.
func parseRoutes(r io.Reader) ([]netip.Prefix, error) {
	var out []netip.Prefix
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 8 || f[0] == "Iface" {
			continue
		}
		dest, err := hexAddr(f[1])
		if err != nil {
			return nil, fmt.Errorf("destination of %s: %w", f[0], err)
		}
		mask, err := hexAddr(f[7])
		if err != nil {
			return nil, fmt.Errorf("mask of %s: %w", f[0], err)
		}
		m := mask.As4()
		if ones, _ := net.IPMask(m[:]).Size(); ones > 1 {
			out = append(out, netip.PrefixFrom(dest, ones))
		}
	}
	return out, lines.Err()
}

func hexAddr(s string) (netip.Addr, error) {
	var raw [4]byte
	if len(s) != 8 {
		return netip.Addr{}, fmt.Errorf("%q is not an IPv4 address in hexadecimal", s)
	}
	if _, err := hex.Decode(raw[:], []byte(s)); err != nil {
		return netip.Addr{}, fmt.Errorf("%q is not an IPv4 address in hexadecimal: %w", s, err)
	}
	// The kernel prints the network-order word with %08X.
	var out [4]byte
	binary.NativeEndian.PutUint32(out[:], binary.BigEndian.Uint32(raw[:]))
	return netip.AddrFrom4(out), nil
}
