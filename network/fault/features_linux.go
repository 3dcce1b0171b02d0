package fault

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
)

// Features tries each feature in the network namespace of the calling thread, and removes
// it again. It requires CAP_NET_ADMIN in that namespace.
func Features() Support {
	return Support{
		Nftables: feature(tryTable(Rules{
			Cuts:   []Cut{{documentation, In, Drop, time.Now().Add(time.Minute)}},
			Losses: []Loss{{documentation, 1, time.Time{}}},
			Shapes: []Shape{{documentation, Shaping{}, time.Time{}}},
		})),
		Reset:   feature(tryTable(Rules{Cuts: []Cut{{documentation, In, Reset, time.Time{}}}})),
		Destroy: feature(tryDestroy()),
		HTB:     feature(tryQdisc(func(a netlink.QdiscAttrs) netlink.Qdisc { return netlink.NewHtb(a) })),
		Netem: feature(tryQdisc(func(a netlink.QdiscAttrs) netlink.Qdisc {
			return netlink.NewNetem(a, netlink.NetemQdiscAttrs{Latency: 1000})
		})),
		Notrack: feature(tryTable(resolverOnly)),
	}
}

// resolverOnly are rules that need what no others need.
var resolverOnly = Rules{Resolver: Resolver{Ours: true}}

// documentation is an address that no host has (RFC 5737).
var documentation = netip.AddrFrom4([4]byte{192, 0, 2, 1})

// tryTable makes a table with rules that no packet needs, and removes it.
func tryTable(r Rules) error {
	// No other table has the name, if this is not a namespace of our own.
	name := fmt.Sprintf("beamyard-probe-%d", os.Getpid())
	if err := replaceTable(name, r, nil); err != nil {
		return err
	}
	return replaceTable(name, Rules{}, nil)
}

// tryDestroy opens a TCP socket, and destroys it.
func tryDestroy() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	socket := os.NewFile(uintptr(fd), "socket")
	defer socket.Close()
	if err := syscall.Listen(fd, 1); err != nil { // at a free port
		return fmt.Errorf("listen: %w", err)
	}
	addr, err := syscall.Getsockname(fd)
	if err != nil {
		return fmt.Errorf("get a port: %w", err)
	}
	id := make([]byte, diagIDSize)
	binary.BigEndian.PutUint16(id, uint16(addr.(*syscall.SockaddrInet4).Port))
	for i := diagIDSize - 8; i < diagIDSize; i++ {
		id[i] = 0xff // INET_DIAG_NOCOOKIE
	}
	if _, err := diagnose(nl.SOCK_DESTROY, syscall.NLM_F_ACK, diagRequest(syscall.AF_INET, 0, id)); err != nil {
		return fmt.Errorf("destroy a socket: %w", err)
	}
	return nil
}

// tryQdisc puts a queue on the loopback interface, and removes it.
func tryQdisc(queue func(netlink.QdiscAttrs) netlink.Qdisc) (err error) {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	q := queue(netlink.QdiscAttrs{LinkIndex: lo.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT})
	// Creates only: what is there already is somebody else's, and stays.
	if err := netlink.QdiscAdd(q); err != nil {
		return addError(q.Type(), err)
	}
	if err := netlink.QdiscDel(q); err != nil {
		return fmt.Errorf("remove %s: %w", q.Type(), err)
	}
	return nil
}
