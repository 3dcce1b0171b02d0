package doctor

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
)

// Positions in the helper container.
const (
	probePort   = 7000
	nonceTarget = "/beamyard-nonce"
	nonceEnv    = "BEAMYARD_PROBE_NONCE"
)

// probeLife is how long the helper waits to be dialled. It ends by itself, because an
// examination that is killed removes nothing.
const probeLife = 20 * time.Second

// insideFacts are what the program sees from inside a container.
type insideFacts struct {
	BootID         string        `json:"boot_id"`         // of its kernel
	Gateway        netip.Addr    `json:"gateway"`         // of its default route: the bridge
	NoFile         uint64        `json:"nofile"`          // hard limit; the largest number is "infinite"
	NetAdmin       bool          `json:"net_admin"`       // CAP_NET_ADMIN is in effect
	Faults         fault.Support `json:"faults"`          //
	SpaceFree      uint64        `json:"space_free"`      // bytes of the file system below /
	SpaceTotal     uint64        `json:"space_total"`     //
	InodesFree     uint64        `json:"inodes_free"`     //
	InodesTotal    uint64        `json:"inodes_total"`    // 0: not counted
	MemoryFree     int64         `json:"memory_free"`     // bytes, MemAvailable
	InotifyWatches int           `json:"inotify_watches"` // 0: unknown
	InotifyUsers   int           `json:"inotify_instances"`
	Nonce          string        `json:"nonce"` // content of the mounted file
}

// Probe is the program of the helper container. It prints its findings as one line of
// JSON, and for a short time answers connections with the same nonce. One that examines the ways
// between hosts reports these instead. A program that is
// used as [Options].Executable must call it for its command "probe".
func Probe(ctx context.Context, out io.Writer) error {
	l, err := net.Listen("tcp", ":"+strconv.Itoa(probePort))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	targets, err := targetsOf()
	switch {
	case err != nil:
		return errors.Join(err, l.Close())
	case targets != nil:
		return tellWays(ctx, out, l, targets)
	}
	return tell(ctx, out, l)
}

func tell(ctx context.Context, out io.Writer, l net.Listener) error {
	defer l.Close()
	line, err := json.Marshal(look())
	if err != nil {
		return fmt.Errorf("encode facts: %w", err)
	}
	if _, err := fmt.Fprintf(out, "%s\n", line); err != nil {
		return fmt.Errorf("tell facts: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, probeLife)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil // the normal end
			}
			return fmt.Errorf("accept: %w", err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(conn, os.Getenv(nonceEnv)) // fails if the client has hung up
		conn.Close()
	}
}

// look gathers the facts. Unknown ones stay zero.
func look() insideFacts {
	f := insideFacts{
		BootID:         firstLine("/proc/sys/kernel/random/boot_id"),
		Gateway:        defaultGateway(readFile("/proc/net/route")),
		NetAdmin:       hasNetAdmin(readFile("/proc/self/status")),
		MemoryFree:     memAvailable(readFile("/proc/meminfo")),
		InotifyWatches: number("/proc/sys/fs/inotify/max_user_watches"),
		InotifyUsers:   number("/proc/sys/fs/inotify/max_user_instances"),
		Faults:         fault.Features(),
		Nonce:          firstLine(nonceTarget),
	}
	f.NoFile = hardNoFile()
	f.SpaceFree, f.SpaceTotal, f.InodesFree, f.InodesTotal, _ = space("/")
	return f
}

// hasNetAdmin reads CapEff of /proc/PID/status (capabilities(7)).
func hasNetAdmin(status string) bool {
	const capNetAdmin = 12
	_, rest, _ := strings.Cut(status, "\nCapEff:")
	line, _, _ := strings.Cut(rest, "\n")
	set, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	return err == nil && set&(1<<capNetAdmin) != 0
}

// defaultGateway reads /proc/net/route (proc_net_route): the gateway, in the third
// field, of the route to 0.0.0.0, as a hexadecimal number in the machine's order.
func defaultGateway(routes string) netip.Addr {
	for line := range strings.Lines(routes) {
		f := strings.Fields(line)
		if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" {
			continue
		}
		if word, err := strconv.ParseUint(f[2], 16, 32); err == nil && word != 0 {
			var raw [4]byte
			binary.NativeEndian.PutUint32(raw[:], uint32(word))
			return netip.AddrFrom4(raw)
		}
	}
	return netip.Addr{}
}

// memAvailable reads /proc/meminfo (proc_meminfo(5)), in bytes; 0 if it has no such entry.
func memAvailable(meminfo string) int64 {
	for line := range strings.Lines(meminfo) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemAvailable:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

func readFile(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data)
}

func firstLine(path string) string {
	line, _, _ := strings.Cut(readFile(path), "\n")
	return line
}

func number(path string) int {
	n, err := strconv.Atoi(firstLine(path))
	if err != nil {
		return 0
	}
	return n
}
