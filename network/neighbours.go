package network

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// neighbours is where Linux keeps the limits of its neighbour (ARP) table: see
// arp(7). There is one table for all network namespaces, and only the first one
// shows the limits.
const neighbours = "/proc/sys/net/ipv4/neigh/default"

// ampleNeighbours are the limits that Docker's own overlay driver raises the
// table to (ostweaks_linux.go of libnetwork).
var ampleNeighbours = map[string]int{"gc_thresh1": 8192, "gc_thresh2": 49152, "gc_thresh3": 65536}

// NeighbourLimit returns the maximum number of entries in this machine's neighbour table;
// known is false if it cannot be determined.
//
// In a full mesh every node needs an entry for every other node, and all nodes share one
// table: 50 nodes need 2500 entries, and the default is 1024. Beyond the limit the kernel
// drops packets ("neighbour: arp_cache: neighbor table overflow!"), connections time out,
// and OTP's prevention of overlapping partitions then breaks up the mesh.
func NeighbourLimit() (limit int, known bool) { return readLimit(neighbours, "gc_thresh3") }

// RaiseNeighbourLimit raises the limits of the table to those that Docker sets for its
// overlay networks, until the next boot. It requires root, and never lowers a limit.
func RaiseNeighbourLimit() error { return raiseLimits(neighbours) }

// NeighbourCommand is a shell command with the same effect.
const NeighbourCommand = "sudo sysctl -w net.ipv4.neigh.default.gc_thresh3=65536 net.ipv4.neigh.default.gc_thresh2=49152 net.ipv4.neigh.default.gc_thresh1=8192"

func readLimit(folder, name string) (int, bool) {
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return 0, false
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return limit, err == nil
}

func raiseLimits(folder string) error {
	for _, name := range []string{"gc_thresh3", "gc_thresh2", "gc_thresh1"} { // each at most the one before
		if now, known := readLimit(folder, name); known && now >= ampleNeighbours[name] {
			continue
		}
		f, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			return fmt.Errorf("raise the limit of the neighbour table: %w", err)
		}
		_, err = fmt.Fprintln(f, ampleNeighbours[name])
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return fmt.Errorf("raise the limit of the neighbour table: %w", err)
		}
	}
	return nil
}
