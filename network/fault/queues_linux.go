package fault

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
)

// Each interface has a tree of queues:
//
//	htb bea: ── class bea:1, with a rate ── netem, with delay and more
//	         ├─ class bea:2 …
//	         └─ all other packets, as if there were no queue
//
// The table chooses the class by the packet's priority (tc-htb(8)). Since an entry of the
// table ends by itself, so does a shape: its class stays, and gets no packets any more.

// htbMajor is the major number of our queues, by which they are recognised.
const htbMajor = 0xbea

// unlimited is the rate of a class without one, in bytes per second: the highest that
// needs no attribute of its own.
const unlimited = math.MaxUint32

func classHandle(class uint16) uint32 { return netlink.MakeHandle(htbMajor, class) }

// A classKey is what a class is for. With a rate, each peer has a class of its own. Without,
// all peers with the same shaping share one: kernels since 6.16 refuse a netem that
// duplicates if the interface has another one.
type classKey struct {
	peer netip.Addr
	Shaping
}

func keyOf(s Shape) classKey {
	if s.Rate == 0 {
		s.Peer = netip.Addr{}
	}
	return classKey{s.Peer, s.Shaping}
}

// queues are those of one interface.
type queues struct {
	link    netlink.Link
	tree    bool               // ours is there
	foreign string             // type of another one
	classes map[uint16]Shaping // of ours
}

// readQueues returns the queues of all interfaces that are up, except the loopback one.
func readQueues() ([]queues, error) {
	links, err := retry(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var all []queues
	for _, link := range links {
		if flags := link.Attrs().Flags; flags&net.FlagLoopback != 0 || flags&net.FlagUp == 0 {
			continue
		}
		q := queues{link: link, classes: map[uint16]Shaping{}}
		qdiscs, err := retry(func() ([]netlink.Qdisc, error) { return netlink.QdiscList(link) })
		if err != nil {
			return nil, fmt.Errorf("list the queues of %s: %w", link.Attrs().Name, err)
		}
		netems := map[uint32]*netlink.Netem{}
		for _, d := range qdiscs {
			switch a := d.Attrs(); {
			case a.Parent == netlink.HANDLE_ROOT && a.Handle == netlink.MakeHandle(htbMajor, 0):
				q.tree = true
			case a.Parent == netlink.HANDLE_ROOT && a.Handle != 0: // the kernel's own have no number
				q.foreign = d.Type()
			default:
				if n, ok := d.(*netlink.Netem); ok {
					netems[a.Parent] = n
				}
			}
		}
		classes, err := retry(func() ([]netlink.Class, error) { return netlink.ClassList(link, 0) })
		if err != nil {
			return nil, fmt.Errorf("list the classes of %s: %w", link.Attrs().Name, err)
		}
		for _, c := range classes {
			if major, minor := netlink.MajorMinor(c.Attrs().Handle); major == htbMajor {
				if htb, ok := c.(*netlink.HtbClass); ok {
					q.classes[minor] = readShaping(htb, netems[htb.Handle])
				}
			}
		}
		all = append(all, q)
	}
	return all, nil
}

// retry repeats a listing that changes interrupted.
func retry[T any](list func() ([]T, error)) (result []T, err error) {
	for range 10 {
		if result, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return result, err
}

// shapings returns the classes that are the same on all interfaces.
func shapings(all []queues) map[uint16]Shaping {
	if len(all) == 0 {
		return nil
	}
	same := maps.Clone(all[0].classes)
	for _, q := range all {
		maps.DeleteFunc(same, func(class uint16, s Shaping) bool {
			other, ok := q.classes[class]
			return !ok || other != s
		})
	}
	return same
}

// assign chooses a class for each shape. Those that exist keep theirs, and with it the
// packets that wait there.
func assign(shapes []Shape, existing map[classKey]uint16, all []queues) map[classKey]uint16 {
	taken := map[uint16]bool{}
	for _, q := range all {
		for class := range q.classes {
			taken[class] = true
		}
	}
	classes, next := map[classKey]uint16{}, uint16(1)
	for _, s := range shapes {
		key := keyOf(s)
		if _, ok := classes[key]; ok {
			continue
		}
		class, ok := existing[key]
		if !ok {
			for taken[next] {
				next++
			}
			class = next
			taken[class] = true
		}
		classes[key] = class
	}
	return classes
}

// addQueues adds the classes that are missing.
func addQueues(all []queues, classes map[classKey]uint16) error {
	for _, q := range all {
		name := q.link.Attrs().Name
		if len(classes) > 0 && !q.tree {
			if q.foreign != "" {
				return fmt.Errorf("interface %s: there is a queue of another program (%s)", name, q.foreign)
			}
			if err := netlink.QdiscAdd(newTree(q.link)); err != nil {
				return fmt.Errorf("interface %s: %w", name, addError("htb", err))
			}
		}
		for key, number := range classes {
			if _, ok := q.classes[number]; ok {
				continue
			}
			if err := netlink.ClassAdd(newClass(q.link, number, key.Shaping)); err != nil {
				return fmt.Errorf("interface %s: add a class: %w", name, err)
			}
			if !key.needsNetem() {
				continue
			}
			if err := netlink.QdiscAdd(newNetem(q.link, classHandle(number), key.Shaping)); err != nil {
				return fmt.Errorf("interface %s: %w", name, addError("netem", err))
			}
		}
	}
	return nil
}

// removeQueues removes the classes that are not used, and the tree if none is.
func removeQueues(classes map[classKey]uint16) error {
	all, err := readQueues()
	if err != nil {
		return err
	}
	used := slices.Collect(maps.Values(classes))
	for _, q := range all {
		var errs []error
		if len(used) == 0 && q.tree {
			errs = append(errs, netlink.QdiscDel(newTree(q.link)))
		} else {
			for class, s := range q.classes {
				if !slices.Contains(used, class) {
					errs = append(errs, netlink.ClassDel(newClass(q.link, class, s)))
				}
			}
		}
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("remove queues of %s that get no packets: %w", q.link.Attrs().Name, err)
		}
	}
	return nil
}

// addError says what went wrong when a queue was added.
func addError(kind string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the kernel has no %s: %w", kind, errors.ErrUnsupported)
	}
	return fmt.Errorf("add %s: %w", kind, err)
}

func newTree(link netlink.Link) *netlink.Htb {
	return netlink.NewHtb(netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(htbMajor, 0), Parent: netlink.HANDLE_ROOT})
}

func newClass(link netlink.Link, class uint16, s Shaping) *netlink.HtbClass {
	rate := s.Rate
	if rate == 0 {
		rate = unlimited * 8
	}
	burst := uint32(max(1600, rate/8/100)) // one packet, or 10 ms
	return netlink.NewHtbClass(
		netlink.ClassAttrs{LinkIndex: link.Attrs().Index, Handle: classHandle(class), Parent: netlink.MakeHandle(htbMajor, 0)},
		// The quantum divides a parent's rate between classes, and these have no parent.
		// The kernel warns without one.
		netlink.HtbClassAttrs{Rate: rate, Buffer: burst, Cbuffer: burst, Quantum: 1600},
	)
}

func newNetem(link netlink.Link, parent uint32, s Shaping) *netlink.Netem {
	return netlink.NewNetem(netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Parent: parent}, netlink.NetemQdiscAttrs{
		Limit:   100_000, // packets that wait: with a latency, far more than the usual 1,000
		Latency: uint32(s.Latency.Microseconds()), Jitter: uint32(s.Jitter.Microseconds()),
		Duplicate: float32(s.Duplicate), CorruptProb: float32(s.Corrupt), ReorderProb: float32(s.Reorder),
	})
}

// readShaping is the reverse of newClass and newNetem.
func readShaping(class *netlink.HtbClass, netem *netlink.Netem) (s Shaping) {
	if class.Rate != unlimited {
		s.Rate = class.Rate * 8
	}
	if netem == nil {
		return s
	}
	ticks := func(n uint32) time.Duration {
		return time.Duration(math.Round(float64(n)/netlink.TickInUsec())) * time.Microsecond
	}
	percent := func(n uint32) float64 { return math.Round(float64(n)/math.MaxUint32*1e6) / 1e4 }
	s.Latency, s.Jitter = ticks(netem.Latency), ticks(netem.Jitter)
	s.Duplicate, s.Corrupt, s.Reorder = percent(netem.Duplicate), percent(netem.CorruptProb), percent(netem.ReorderProb)
	return s
}
