package network

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Owner returns the process that listens on a TCP port of this machine: "beam.smp (pid
// 123)". It returns "" if the process cannot be determined: on systems other than Linux,
// for other users' processes unless this process is root, and for processes outside this
// process's PID namespace.
func Owner(port uint16) string { return holderIn("/proc", port) }

// holderOrGuess falls back on who it usually is.
func holderOrGuess(port uint16) string {
	if who := Owner(port); who != "" {
		return who
	}
	if who := WellKnown[port]; who != "" {
		return fmt.Sprintf("another program, probably %s (its usual port)", who)
	}
	return ""
}

func holderIn(proc string, port uint16) string {
	sockets := map[string]bool{}
	for _, table := range []string{"net/tcp", "net/tcp6"} {
		f, err := os.Open(filepath.Join(proc, table))
		if err != nil {
			continue // no IPv6, or not Linux
		}
		for _, inode := range listeners(f, port) {
			sockets["socket:["+inode+"]"] = true
		}
		f.Close()
	}
	if len(sockets) == 0 {
		return ""
	}
	// A socket knows its inode but not its owner: whoever has it open is found
	// by looking at everybody's descriptors, as ss does.
	fds, _ := filepath.Glob(filepath.Join(proc, "[0-9]*/fd/*"))
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || !sockets[target] {
			continue
		}
		process := filepath.Dir(filepath.Dir(fd))
		name, err := os.ReadFile(filepath.Join(process, "comm"))
		if err != nil {
			continue // gone meanwhile
		}
		return fmt.Sprintf("%s (pid %s)", strings.TrimSpace(string(name)), filepath.Base(process))
	}
	return ""
}

// listeners returns the inodes of the sockets of a table that listen on port.
func listeners(r io.Reader, port uint16) []string {
	var inodes []string
	for _, l := range listening(r) {
		if l.port == port {
			inodes = append(inodes, l.inode)
		}
	}
	return inodes
}

// ListeningPorts reads /proc/net/tcp or tcp6, or both concatenated, and returns the
// listening ports, sorted. It omits sockets on the address of the engine's name server,
// which each container has.
func ListeningPorts(r io.Reader) []int {
	var ports []int
	for _, l := range listening(r) {
		if l.address != nameServer && !slices.Contains(ports, int(l.port)) {
			ports = append(ports, int(l.port))
		}
	}
	slices.Sort(ports)
	return ports
}

// nameServer is 127.0.0.11 in the byte order of a little-endian machine's table.
const nameServer = "0B00007F"

type listener struct {
	address string
	port    uint16
	inode   string
}

// listening reads /proc/net/tcp or tcp6. The fields are sl, local_address
// (hexadecimal address and port), rem_address, st (0A = LISTEN), four more, uid,
// timeout, inode.
func listening(r io.Reader) []listener {
	var found []listener
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 10 || f[3] != "0A" {
			continue
		}
		address, port, _ := strings.Cut(f[1], ":")
		if p, err := strconv.ParseUint(port, 16, 16); err == nil {
			found = append(found, listener{address, uint16(p), f[9]})
		}
	}
	return found
}
