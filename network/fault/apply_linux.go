package fault

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Apply makes the kernel do what the rules say, and nothing else of us, in the network
// namespace of the calling thread. It requires CAP_NET_ADMIN there. Empty rules remove
// everything.
//
// The rules change in one transaction: no packet sees a part of the old and a part of the
// new. Connections that a [Reset] cuts are destroyed then. If something fails, what was in
// force before stays in force; the one exception is the removal of queues that get no
// packets any more, whose failure is reported, and which the next Apply tries again.
//
// The kernel ends each rule at its time, whatever happens to the caller. Rules apply to all
// interfaces that are up, except the loopback one. If a node gets another interface, its
// shapes have to be applied again.
//
// Only one caller at a time may use a namespace.
func Apply(r Rules) error {
	r = r.Live(time.Now())
	before, err := read()
	if err != nil {
		return err
	}
	classes := assign(r.Shapes, before.classes, before.queues)
	if err := addQueues(before.queues, classes); err != nil {
		return errors.Join(err, removeQueues(before.classes))
	}
	if err := replaceTable(tableName, r, classes); err != nil {
		if r.Resolver.Ours && tryTable(resolverOnly) != nil {
			err = fmt.Errorf("the kernel has no notrack: %w: %w", errors.ErrUnsupported, err)
		}
		return errors.Join(err, removeQueues(before.classes))
	}
	if err := resetCut(r); err != nil {
		return errors.Join(err, replaceTable(tableName, before.rules.Live(time.Now()), before.classes), removeQueues(before.classes))
	}
	return removeQueues(classes)
}

// Read returns what is in force in the network namespace of the calling thread. Where the
// kernel agrees with what was applied, it is equal to that. It requires CAP_NET_ADMIN.
func Read() (Rules, error) {
	s, err := read()
	return s.rules, err
}

// state is what the kernel has.
type state struct {
	rules   Rules
	classes map[classKey]uint16
	queues  []queues
}

func read() (s state, err error) {
	if s.queues, err = readQueues(); err != nil {
		return state{}, err
	}
	lists, cluster, err := readTable()
	if err != nil {
		return state{}, err
	}
	s.rules, s.classes = fromLists(lists, shapings(s.queues))
	s.rules.sort(cluster)
	return s, nil
}

// resetCut destroys the connections that rules reset: they would otherwise live until
// their next packet.
func resetCut(r Rules) error {
	var peers []netip.Addr
	for _, c := range r.Cuts {
		if c.How == Reset {
			peers = append(peers, c.Peer)
		}
	}
	if len(peers) == 0 {
		return nil
	}
	outside := slices.Contains(peers, netip.Addr{})
	_, err := destroy(func(peer netip.Addr) bool {
		return slices.Contains(peers, peer) || outside && !peer.IsLoopback() && !slices.Contains(r.Cluster, peer)
	})
	if err != nil {
		return fmt.Errorf("reset connections: %w", err)
	}
	return nil
}
