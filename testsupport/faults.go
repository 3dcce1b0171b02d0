package testsupport

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
)

// This file breaks clusters on purpose, and repairs them when the test ends. Each method
// returns when the nodes have seen the fault: they report each nodedown and nodeup as it
// happens, and no method waits for a fixed time.

// Crash kills a node's VM with SIGKILL, like a power failure, and returns when every node
// that saw it has seen it go down. It stays down, or restarts by the policy of
// [WithRestart]. It is started again when the test ends.
func (c *Cluster) Crash(tb testing.TB, node string) {
	tb.Helper()
	c.down(tb, "crash", node, func(ctx context.Context) error { return c.core.Kill(ctx, "KILL", node) })
}

// Stop shuts a node down in an orderly way, and returns when every node that saw it has
// seen it go down. It is started again when the test ends.
func (c *Cluster) Stop(tb testing.TB, node string) {
	tb.Helper()
	c.down(tb, "stop", node, func(ctx context.Context) error { return c.core.Stop(ctx, node) })
}

// down takes a node down, and waits until the cause of its exit is known.
func (c *Cluster) down(tb testing.TB, how, node string, take func(context.Context) error) {
	tb.Helper()
	run := c.Node(node).Status().Incarnation
	c.fault(tb, how+" "+node, []string{node}, func(ctx context.Context) error {
		back := func(ctx context.Context) error { return c.startAgain(ctx, node) }
		if err := c.lose(ctx, tb, how, node, take, "down "+node, back); err != nil {
			return err
		}
		return c.await(ctx, node, func(n orchestrator.NodeStatus) bool { return n.Incarnation > run || judged(n) })
	})
}

// judged reports whether a node is down and the cause of its exit is known.
func judged(n orchestrator.NodeStatus) bool {
	return n.State.Final() || n.State == orchestrator.BackingOff && !n.NextRestartAt.IsZero()
}

// Start starts a node that is down, and returns when it is Ready and every other node
// sees it. A node that the test itself did not take down goes down again when the test
// ends.
func (c *Cluster) Start(tb testing.TB, node string) {
	tb.Helper()
	c.fault(tb, "start "+node, []string{node}, func(ctx context.Context) error {
		if err := c.startAgain(ctx, node); err != nil {
			return err
		}
		c.mended(tb, "down "+node, func(ctx context.Context) error { return c.core.Stop(ctx, node) })
		return nil
	})
}

// Restart stops a node and starts it again. It returns when the node is Ready and every
// node that saw it has seen it go down and come up.
func (c *Cluster) Restart(tb testing.TB, node string) {
	tb.Helper()
	c.fault(tb, "restart "+node, []string{node}, func(ctx context.Context) error {
		all, err := c.looking(ctx, node)
		if err != nil {
			return err
		}
		defer all.close()
		beam := c.Node(node).BEAM()
		seeing := all.seeing(beam)
		began := time.Now()
		defer func() { c.log.passed("restart "+node, began, time.Now()) }()
		if err := c.core.Restart(ctx, node); err != nil {
			return err
		}
		back := func(now erldist.Seen) bool { return now.Downs[beam] > 0 && now.Ups[beam] > 0 && now.Up[beam] }
		if err := seeing.until(ctx, "does not see "+node+" go and come", back); err != nil {
			return err
		}
		return c.awaitReturn(ctx, node)
	})
}

// Pause freezes a node, like a machine that hangs: it does not run or answer, and its
// connections stay open. Pause returns when every node that saw it has dropped it, which
// takes as long as net_ticktime: see [WithNetTick]. The node is unpaused when the test
// ends.
func (c *Cluster) Pause(tb testing.TB, node string) {
	tb.Helper()
	c.fault(tb, "pause "+node, []string{node}, func(ctx context.Context) error {
		freeze := func(ctx context.Context) error {
			c.Node(node).hangUp() // later calls on the old connection would wait for the paused node
			return c.core.Pause(ctx, node)
		}
		return c.lose(ctx, tb, "pause", node, freeze, "paused "+node, func(ctx context.Context) error { return c.goOn(ctx, node) })
	})
}

// lose does something to a node that makes the others lose it, and returns when each node that
// saw it has seen it go down.
func (c *Cluster) lose(ctx context.Context, tb testing.TB, how, node string, do func(context.Context) error, fault string, undo func(context.Context) error) error {
	tb.Helper()
	all, err := c.looking(ctx, node)
	if err != nil {
		return err
	}
	defer all.close()
	beam := c.Node(node).BEAM()
	seeing := all.seeing(beam)
	began := time.Now()
	if err := do(ctx); err != nil {
		return err
	}
	c.log.begin(fault, how+" "+node, began)
	c.undone(tb, fault, undo)
	return seeing.until(ctx, "does not see "+node+" go", func(now erldist.Seen) bool { return now.Downs[beam] > 0 })
}

// Unpause resumes a paused node, and returns when it is Ready and every other node sees
// it again.
func (c *Cluster) Unpause(tb testing.TB, node string) {
	tb.Helper()
	c.fault(tb, "unpause "+node, []string{node}, func(ctx context.Context) error {
		if err := c.goOn(ctx, node); err != nil {
			return err
		}
		c.mended(tb, "paused "+node, func(ctx context.Context) error { return c.core.Pause(ctx, node) })
		return nil
	})
}

// Disconnect disconnects a node from others at the level of the BEAM's distribution, and
// keeps them disconnected: nothing that the nodes do reconnects them until
// [Cluster.Reconnect] or the end of the test. Without from, it disconnects the node from
// all others. It returns when both sides have seen it.
//
// Disconnect refuses a cut that would leave a third node connected to both sides if OTP
// itself would not tolerate it: see [WithOverlappingPartitions].
func (c *Cluster) Disconnect(tb testing.TB, node string, from ...string) {
	tb.Helper()
	c.fault(tb, "disconnect "+node, append([]string{node}, from...), func(ctx context.Context) error {
		before, began := c.Node(node).Status().Cut, time.Now()
		err := c.core.Disconnect(ctx, node, from...)
		made := cuts{}
		for _, peer := range c.Node(node).Status().Cut { // including those of a Disconnect that failed
			if !slices.Contains(before, peer) {
				made[cut(node, peer)] = peer
				c.log.begin(cut(node, peer), "disconnect "+node+" "+peer, began)
			}
		}
		c.undoneTogether(tb, made.faults(), func(ctx context.Context, still []string) error {
			return c.core.Reconnect(ctx, node, made.peers(still)...)
		})
		return err
	})
}

// Reconnect reconnects nodes that [Cluster.Disconnect] disconnected. Without to, it
// reconnects the node with all nodes that it is disconnected from. It returns when both
// sides see each other.
func (c *Cluster) Reconnect(tb testing.TB, node string, to ...string) {
	tb.Helper()
	c.fault(tb, "reconnect "+node, append([]string{node}, to...), func(ctx context.Context) error {
		ended := cuts{}
		for _, peer := range c.Node(node).Status().Cut {
			if len(to) == 0 || slices.Contains(to, peer) {
				ended[cut(node, peer)] = peer
			}
		}
		if err := c.core.Reconnect(ctx, node, to...); err != nil {
			return err
		}
		c.mendedTogether(tb, ended.faults(), func(ctx context.Context, counted []string) error {
			return c.core.Disconnect(ctx, node, ended.peers(counted)...)
		})
		return nil
	})
}

// cuts maps the faults of disconnecting one node from its peers to the peers. A fault belongs
// to the pair, whichever of the two was named.
type cuts map[string]string

func cut(node, peer string) string { return "cut " + min(node, peer) + " " + max(node, peer) }

func (c cuts) faults() []string { return slices.Sorted(maps.Keys(c)) }

func (c cuts) peers(faults []string) []string {
	peers := make([]string, len(faults))
	for i, fault := range faults {
		peers[i] = c[fault]
	}
	return peers
}

// startAgain starts a node that is down, and waits until it is back.
func (c *Cluster) startAgain(ctx context.Context, node string) error {
	if _, err := c.Node(node).known(); err != nil {
		return err
	}
	if err := c.core.Start(ctx, node); err != nil {
		return err
	}
	return c.awaitReturn(ctx, node)
}

// goOn unpauses a node, and waits until it is back.
func (c *Cluster) goOn(ctx context.Context, node string) error {
	if err := c.core.Unpause(ctx, node); err != nil {
		return err
	}
	return c.awaitReturn(ctx, node)
}

// awaitReturn waits until a node is proven, and all nodes that answer and are not cut from it
// see it.
func (c *Cluster) awaitReturn(ctx context.Context, node string) error {
	if err := c.await(ctx, node, func(n orchestrator.NodeStatus) bool { return n.State.Final() || c.proven(n) }); err != nil {
		return err
	}
	n := c.Node(node).Status()
	if n.State.Final() {
		return fmt.Errorf("%s is %s: %s", node, n.State, n.Reason)
	}
	all, err := c.looking(ctx, node)
	if err != nil {
		return err
	}
	defer all.close()
	met := slices.DeleteFunc(slices.Clone(all), func(s sight) bool { return slices.Contains(n.Cut, s.node.name) })
	return met.until(ctx, "does not see "+node, func(now erldist.Seen) bool { return now.Up[n.Node] })
}

// proven reports whether a node is Ready, or as healthy as possible while cut from peers.
func (c *Cluster) proven(n orchestrator.NodeStatus) bool {
	return n.State == orchestrator.Ready || n.State == orchestrator.Degraded && len(n.Cut) > 0
}

// await waits for a state of a node.
func (c *Cluster) await(ctx context.Context, node string, wanted func(orchestrator.NodeStatus) bool) error {
	err := c.core.Await(ctx, func(st orchestrator.Status) bool {
		n, _ := st.Node(node)
		return wanted(n)
	})
	if err != nil && ctx.Err() != nil {
		n := c.Node(node).Status()
		return fmt.Errorf("%s is %s%s: %w", node, n.State, because(n.Reason), context.Cause(ctx))
	}
	return err
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}
