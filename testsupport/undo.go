package testsupport

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// This file undoes faults when the tests that made them end, the last fault first.

// faultTime limits each fault and each repair: with the VM's default net_ticktime, a silent
// peer stays connected for up to 75 s.
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

// undone registers the undoing of a fault at the end of the test. It is skipped if the fault
// was undone before or the cluster is gone. A cluster that is kept for inspection stays broken.
func (c *Cluster) undone(tb testing.TB, fault string, undo func(ctx context.Context) error) {
	tb.Helper()
	c.undoneTogether(tb, []string{fault}, func(ctx context.Context, _ []string) error { return undo(ctx) })
}

// undoneTogether is undone for the faults of one call: undo gets those that are still there.
func (c *Cluster) undoneTogether(tb testing.TB, faults []string, undo func(ctx context.Context, still []string) error) {
	tb.Helper()
	c.mu.Lock()
	for _, fault := range faults {
		c.broken[fault] = tb.Name()
	}
	c.mu.Unlock()
	tb.Cleanup(func() {
		if tb.Failed() {
			c.report(tb) // unchanged, before anything is undone
		}
		if c.leftAsIs(tb) {
			return
		}
		var still []string
		c.mu.Lock()
		for _, fault := range faults {
			if _, broken := c.broken[fault]; broken {
				still = append(still, fault)
				delete(c.broken, fault)
			}
		}
		c.mu.Unlock()
		if len(still) > 0 {
			c.undo(tb, "undo "+strings.Join(still, ", "), func(ctx context.Context) error { return undo(ctx, still) })
			c.log.end(time.Now(), still...)
		}
	})
}

// leftAsIs reports whether a cluster is gone, or kept for inspection.
func (c *Cluster) leftAsIs(tb testing.TB) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over || tb.Failed() && keeping()
}

// mended records that a fault was undone. If another test made the fault, it is made again when
// this test ends, because the other test relies on it.
func (c *Cluster) mended(tb testing.TB, fault string, again func(ctx context.Context) error) {
	tb.Helper()
	c.mendedTogether(tb, []string{fault}, func(ctx context.Context, _ []string) error { return again(ctx) })
}

// mendedTogether is mended for the faults of one call: again gets those of other tests.
func (c *Cluster) mendedTogether(tb testing.TB, faults []string, again func(ctx context.Context, counted []string) error) {
	tb.Helper()
	byOthers := map[string]string{}
	c.log.end(time.Now(), faults...)
	c.mu.Lock()
	for _, fault := range faults {
		if by, broken := c.broken[fault]; broken && by != tb.Name() {
			byOthers[fault] = by
		}
		delete(c.broken, fault)
	}
	c.mu.Unlock()
	if len(byOthers) == 0 {
		return
	}
	counted := slices.Sorted(maps.Keys(byOthers))
	tb.Cleanup(func() {
		if c.leftAsIs(tb) {
			return
		}
		c.mu.Lock()
		maps.Copy(c.broken, byOthers)
		c.mu.Unlock()
		for _, fault := range counted {
			c.log.again(fault, time.Now())
		}
		c.undo(tb, "make again: "+strings.Join(counted, ", "), func(ctx context.Context) error { return again(ctx, counted) })
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
