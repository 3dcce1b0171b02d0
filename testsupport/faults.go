package testsupport

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file breaks clusters on purpose, and mends them when the test ends. Each
// method returns when the nodes really saw it: they tell each nodedown and nodeup as
// it happens, and nothing here waits for a time to pass.

// faultTime bounds each fault: a silent peer is believed for up to 75 s with the
// VM's own net_ticktime.
const faultTime = 2 * time.Minute

// Crash kills a node's VM with SIGKILL, as a power failure would, and returns when
// every node that saw it has seen it go. It stays down, or comes back by the restart
// policy where [WithRestart] gave one. When the test ends it is started again.
func (c *Cluster) Crash(tb testing.TB, node string) {
	tb.Helper()
	c.down(tb, "crash", node, func(ctx context.Context) error { return c.core.Kill(ctx, "KILL", node) })
}

// Stop stops a node in the orderly way, and returns when every node that saw it has
// seen it go. When the test ends it is started again.
func (c *Cluster) Stop(tb testing.TB, node string) {
	tb.Helper()
	c.down(tb, "stop", node, func(ctx context.Context) error { return c.core.Stop(ctx, node) })
}

// down takes a node down.
func (c *Cluster) down(tb testing.TB, how, node string, take func(context.Context) error) {
	tb.Helper()
	c.fault(tb, how+" "+node, []string{node}, func(ctx context.Context) error {
		all, err := c.looking(ctx, node)
		if err != nil {
			return err
		}
		defer all.close()
		run, beam := c.Node(node).Status().Incarnation, c.Node(node).BEAM()
		seeing := all.seeing(beam)
		if err := take(ctx); err != nil {
			return err
		}
		c.undone(tb, "down "+node, func(ctx context.Context) error { return c.bringBack(ctx, node) })
		if err := seeing.until(ctx, "does not see "+node+" go", func(s *sight) bool { return s.downs[beam] > 0 }); err != nil {
			return err
		}
		return c.await(ctx, node, func(n orchestrator.NodeStatus) bool { return n.Incarnation > run || judged(n) })
	})
}

// judged tells that a node is down, and how it ended is known.
func judged(n orchestrator.NodeStatus) bool {
	return n.State.Final() || n.State == orchestrator.BackingOff && !n.NextRestartAt.IsZero()
}

// Start starts a node that is down, and returns when it is Ready and every other one
// sees it. When the test ends, a node that somebody else had taken down goes down
// again.
func (c *Cluster) Start(tb testing.TB, node string) {
	tb.Helper()
	c.fault(tb, "start "+node, []string{node}, func(ctx context.Context) error {
		if err := c.bringBack(ctx, node); err != nil {
			return err
		}
		c.mended(tb, "down "+node, func(ctx context.Context) error { return c.core.Stop(ctx, node) })
		return nil
	})
}

// Restart stops a node and starts it again, and returns when every node that saw it
// has seen it go and come, and it is Ready.
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
		if err := c.core.Restart(ctx, node); err != nil {
			return err
		}
		back := func(s *sight) bool { return s.downs[beam] > 0 && s.ups[beam] > 0 && s.up[beam] }
		if err := seeing.until(ctx, "does not see "+node+" go and come", back); err != nil {
			return err
		}
		return c.back(ctx, node)
	})
}

// Pause freezes a node: it neither runs nor answers, and its connections stay open,
// as those of a machine that hangs. It returns when every node that saw it has given
// it up, which takes as long as net_ticktime: see [WithNetTick]. When the test ends
// it goes on.
func (c *Cluster) Pause(tb testing.TB, node string) {
	tb.Helper()
	c.fault(tb, "pause "+node, []string{node}, func(ctx context.Context) error {
		all, err := c.looking(ctx, node)
		if err != nil {
			return err
		}
		defer all.close()
		beam := c.Node(node).BEAM()
		seeing := all.seeing(beam)
		if err := c.core.Pause(ctx, node); err != nil {
			return err
		}
		c.undone(tb, "paused "+node, func(ctx context.Context) error { return c.goOn(ctx, node) })
		c.Node(node).hangUp() // what is asked of it now would wait for it
		return seeing.until(ctx, "does not give "+node+" up", func(s *sight) bool { return s.downs[beam] > 0 })
	})
}

// Unpause has a paused node go on, and returns when it is Ready and every other one
// sees it again.
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

// Disconnect cuts a node from others on the BEAM's own level, and keeps them apart:
// nothing that they do connects them again until [Cluster.Reconnect], or the test's
// end. Without others it is cut from all. It returns when both sides have seen it.
//
// A cut that would leave a third node with both sides is refused where OTP itself
// would not bear it: see [WithOverlappingPartitions].
func (c *Cluster) Disconnect(tb testing.TB, node string, from ...string) {
	tb.Helper()
	c.fault(tb, "disconnect "+node, append([]string{node}, from...), func(ctx context.Context) error {
		if err := c.core.Disconnect(ctx, node, from...); err != nil {
			return err
		}
		c.undone(tb, cutKey(node, from), func(ctx context.Context) error { return c.core.Reconnect(ctx, node, from...) })
		return nil
	})
}

// Reconnect connects nodes that [Cluster.Disconnect] cut: without others, the node
// and all from whom it is cut. It returns when both sides see each other.
func (c *Cluster) Reconnect(tb testing.TB, node string, to ...string) {
	tb.Helper()
	c.fault(tb, "reconnect "+node, append([]string{node}, to...), func(ctx context.Context) error {
		if err := c.core.Reconnect(ctx, node, to...); err != nil {
			return err
		}
		c.mended(tb, cutKey(node, to), func(ctx context.Context) error { return c.core.Disconnect(ctx, node, to...) })
		return nil
	})
}

func cutKey(node string, from []string) string {
	return "cut " + node + " " + strings.Join(slices.Sorted(slices.Values(from)), " ")
}

// fault does something to nodes, or ends the test with the reason.
func (c *Cluster) fault(tb testing.TB, what string, nodes []string, do func(ctx context.Context) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeoutCause(tb.Context(), faultTime, fmt.Errorf("not within %s", faultTime))
	defer cancel()
	for _, node := range nodes {
		if _, err := c.Node(node).known(); err != nil {
			require(tb, what, err)
		}
	}
	require(tb, what, do(ctx))
}

// undone has a fault undone when the test ends, unless somebody mended it before or
// the cluster is gone. A cluster that is kept for a look stays broken.
func (c *Cluster) undone(tb testing.TB, fault string, undo func(ctx context.Context) error) {
	tb.Helper()
	c.mu.Lock()
	c.broken[fault] = tb.Name()
	c.mu.Unlock()
	tb.Cleanup(func() {
		c.mu.Lock()
		_, broken := c.broken[fault]
		delete(c.broken, fault)
		over := c.over
		c.mu.Unlock()
		if tb.Failed() {
			c.report(tb) // as it is, before anything is mended
		}
		if !broken || over || tb.Failed() && keeping() {
			return
		}
		c.undo(tb, "undo "+fault, undo)
	})
}

// mended notes that a fault is no more. Where another test made it, it is made again
// when this one ends: that one counts on it.
func (c *Cluster) mended(tb testing.TB, fault string, again func(ctx context.Context) error) {
	tb.Helper()
	c.mu.Lock()
	by, broken := c.broken[fault]
	delete(c.broken, fault)
	c.mu.Unlock()
	if !broken || by == tb.Name() {
		return
	}
	tb.Cleanup(func() {
		c.mu.Lock()
		over := c.over
		if !over {
			c.broken[fault] = by
		}
		c.mu.Unlock()
		if !over {
			c.undo(tb, "make again: "+fault, again)
		}
	})
}

func (c *Cluster) undo(tb testing.TB, what string, undo func(ctx context.Context) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(tb.Context()), faultTime, fmt.Errorf("not within %s", faultTime))
	defer cancel()
	if err := undo(ctx); err != nil {
		tb.Errorf("%s: %s", what, hinted(err))
	}
}

// bringBack starts a node that is down, and waits until it is back.
func (c *Cluster) bringBack(ctx context.Context, node string) error {
	if _, err := c.Node(node).known(); err != nil {
		return err
	}
	if err := c.core.Start(ctx, node); err != nil {
		return err
	}
	return c.back(ctx, node)
}

// goOn ends a pause, and waits until the node is back.
func (c *Cluster) goOn(ctx context.Context, node string) error {
	if err := c.core.Unpause(ctx, node); err != nil {
		return err
	}
	return c.back(ctx, node)
}

// back waits until a node is proven, and all that answer and are not cut from it see
// it.
func (c *Cluster) back(ctx context.Context, node string) error {
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
	met := slices.DeleteFunc(all, func(s *sight) bool { return slices.Contains(n.Cut, s.node.name) })
	return met.until(ctx, "does not see "+node, func(s *sight) bool { return s.up[n.Node] })
}

// proven tells whether a node is as well as it can be with what was cut from it.
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
