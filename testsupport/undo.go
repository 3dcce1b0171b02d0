package testsupport

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// This file undoes faults when the tests end that made them, the last one first.

// faultTime bounds each fault, and each mend: a silent peer is believed for up to
// 75 s with the VM's own net_ticktime.
const faultTime = 2 * time.Minute

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
		if tb.Failed() {
			c.report(tb) // as it is, before anything is mended
		}
		if c.leftAsIs(tb) {
			return
		}
		c.mu.Lock()
		_, broken := c.broken[fault]
		delete(c.broken, fault)
		c.mu.Unlock()
		if broken {
			c.undo(tb, "undo "+fault, undo)
		}
	})
}

// leftAsIs tells that a cluster is gone, or kept for a look.
func (c *Cluster) leftAsIs(tb testing.TB) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over || tb.Failed() && keeping()
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
		if c.leftAsIs(tb) {
			return
		}
		c.mu.Lock()
		c.broken[fault] = by
		c.mu.Unlock()
		c.undo(tb, "make again: "+fault, again)
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
