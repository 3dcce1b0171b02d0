package cluster

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/probe"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

// Disconnect disconnects a node from peers, or from all others if none are named, and keeps
// them apart until [Cluster.Reconnect]. It works through the nodes' own VMs, each of which
// gets a cookie for the other that no node has, and requires no privilege. Nothing else
// changes: whatever connects nodes (the kernel, the application, the cluster itself) finds
// a peer that refuses it. Disconnected nodes are Degraded, [orchestrator.NodeStatus].Cut
// lists their disconnected peers, and the cluster is not Ready in the meantime. A node that
// restarts stays disconnected.
//
// Disconnect returns when every running node has seen the others disconnect. If ctx ends
// before that, or a node cannot be reached, the disconnection remains the wanted state;
// Reconnect ends it.
//
// The kernel of OTP 25 and later does not allow two nodes to be disconnected while a third
// is connected to both: global would disconnect uninvolved nodes. A disconnection that
// leaves such a third node returns an [orchestrator.OverlapError], unless the nodes allow
// overlapping partitions: see [orchestrator.Distribution]. Disconnecting a node from all
// others never overlaps.
//
// Another supervisor that adopts the nodes does not know about a disconnection: it then
// exists only in the VMs. Reconnect with the peers named, or a restart of both nodes,
// ends it.
//
// Errors: [orchestrator.ErrNoNode], [orchestrator.ErrNotRunning] (also for a paused
// container), [orchestrator.ErrOverlapping], [orchestrator.ErrConflict] if a user
// reconnects them in the meantime, [orchestrator.ErrClosed]. Source: erlang:set_cookie/2
// and erlang:disconnect_node/1; kernel(6).
func (c *Cluster) Disconnect(ctx context.Context, node string, peers ...string) error {
	if err := c.setPartition(ctx, node, peers, true); err != nil {
		return fmt.Errorf("disconnect %s: %w", node, err)
	}
	return nil
}

// Reconnect undoes [Cluster.Disconnect] for a node and peers, or for all its disconnected
// peers if none are named. It also connects them, whatever the mesh mode is. It returns
// when both sides of each running pair see each other: use WaitReady to wait until the
// cluster is whole. Peers that are not disconnected are not an error.
//
// A request that would leave two nodes disconnected while a third is connected to both is
// refused, as for Disconnect. Errors: those of Disconnect.
func (c *Cluster) Reconnect(ctx context.Context, node string, peers ...string) error {
	if err := c.setPartition(ctx, node, peers, false); err != nil {
		return fmt.Errorf("reconnect %s: %w", node, err)
	}
	return nil
}

func (c *Cluster) setPartition(ctx context.Context, node string, peers []string, apart bool) error {
	st := c.view.Load()
	for _, n := range append([]string{node}, peers...) {
		if _, known := st.Node(n); !known {
			return c.spec.NoNode(n)
		}
	}
	if slices.Contains(peers, node) {
		return errors.New("it cannot be told to meet or leave itself")
	}
	if len(peers) == 0 {
		peers = c.partners(node, apart)
	}
	if len(peers) == 0 {
		return nil
	}
	peers = slices.Compact(slices.Sorted(slices.Values(peers)))
	answering := slices.DeleteFunc(append([]string{node}, peers...), func(n string) bool {
		_, ok := c.links.Get(n)
		return !ok
	})
	seen, err := probe.WatchAll(ctx, answering, c.names().Node, c.Dial)
	if err != nil {
		return err
	}
	defer seen.Close()
	allowed := map[string]bool{}
	if len(st.Nodes) > 2 {
		allowed = c.overlapAllowed(ctx)
	}
	if err := c.answered(ctx, func(w supervisor.Waiter) supervisor.Message {
		return supervisor.Partition{Node: node, Peers: peers, Apart: apart, OverlapAllowed: allowed, Waiter: w}
	}); err != nil {
		return err
	}
	return seen.Until(ctx, node, peers, !apart)
}

// partners returns the peers of a request that names none.
func (c *Cluster) partners(node string, apart bool) []string {
	st := c.view.Load()
	if !apart {
		n, _ := st.Node(node)
		return n.Cut
	}
	var others []string
	for _, n := range st.Nodes {
		if n.Name != node {
			others = append(others, n.Name)
		}
	}
	return others
}

// answered posts a message with a waiter and waits for its answer.
func (c *Cluster) answered(ctx context.Context, msg func(supervisor.Waiter) supervisor.Message) error {
	reply := make(chan error, 1)
	c.mu.Lock()
	if c.ended {
		reply <- orchestrator.ErrClosed
	} else {
		c.waiters++
		c.waiting[c.waiters] = reply
		c.box.post(msg(c.waiters))
	}
	c.mu.Unlock()
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// overlapAllowed asks the nodes whether their kernel allows overlapping partitions. It is
// unknown for a node that does not answer. Source: kernel(6),
// prevent_overlapping_partitions: true by default since OTP 25, and without effect if
// connect_all is false.
func (c *Cluster) overlapAllowed(ctx context.Context) map[string]bool {
	ctx, cancel := context.WithTimeout(ctx, probe.CallTimeout)
	defer cancel()
	allowed := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, conn := range c.links.All() {
		wg.Go(func() {
			lets, err := probe.AllowsOverlap(ctx, conn)
			mu.Lock()
			defer mu.Unlock()
			allowed[name] = err == nil && lets
		})
	}
	wg.Wait()
	return allowed
}

//go:embed blocked_peers.erl
var blockPeers string

// setBlocked tells a node which peers to refuse and which to accept again.
func (c *Cluster) setBlocked(ctx context.Context, a supervisor.SetBlocked) {
	err := erldist.ErrClosed
	if conn, ok := c.links.Get(a.Node); ok && conn.Inc == a.Inc {
		ctx, cancel := context.WithTimeout(ctx, probe.CallTimeout)
		defer cancel()
		block, unblock := erldist.List{}, erldist.List{}
		for _, p := range a.Block {
			// The other side gets a different cookie: two equal ones would match.
			block = append(block, erldist.Tuple{erldist.Atom(c.names().Node(p)), erldist.Atom(rand.Text())})
		}
		for _, p := range a.Unblock {
			unblock = append(unblock, erldist.Atom(c.names().Node(p)))
		}
		_, err = conn.Eval(ctx, blockPeers, map[string]any{"Block": block, "Unblock": unblock})
	}
	c.box.post(supervisor.BlockedSet{RunID: a.RunID, Block: a.Block, Unblock: a.Unblock, Err: err})
}
