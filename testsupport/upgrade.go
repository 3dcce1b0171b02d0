package testsupport

import (
	"context"
	"testing"

	"github.com/beamyard/beamyard/orchestrator/upgrade"
)

// Upgrade replaces the image of the nodes, one after the other, as upgrade.Options say: with
// Source, a folder or an image, or with what the cluster was made of, as it is now. It returns when
// every node is Ready and healthy with the new image, and ends the test at the first one that is
// not: to test that, call Upgrade of upgrade.Upgrader, which the [Cluster.Controller] is. Nodes get
// new containers with the same names, addresses, host ports and volumes.
//
// A cluster of [Shared] goes back when the test ends. One of the test's own keeps the image.
func (c *Cluster) Upgrade(tb testing.TB, o upgrade.Options) upgrade.Report {
	tb.Helper()
	report := c.replace(tb, "upgrade", o)
	c.mu.Lock()
	shared := c.shared
	c.mu.Unlock()
	if shared {
		c.undone(tb, "upgrade", func(ctx context.Context) error {
			_, err := c.core.Upgrade(ctx, upgrade.Options{Back: true})
			return err
		})
	}
	return report
}

// Rollback goes back to what the nodes ran before the last [Cluster.Upgrade], in the same way.
func (c *Cluster) Rollback(tb testing.TB) upgrade.Report {
	tb.Helper()
	report := c.replace(tb, "rollback", upgrade.Options{Back: true})
	c.mended(tb, "upgrade", func(context.Context) error { return nil }) // another test's goes back as well
	return report
}

func (c *Cluster) replace(tb testing.TB, what string, o upgrade.Options) upgrade.Report {
	tb.Helper()
	if c.core == nil {
		require(tb, what, ErrNotStarted)
	}
	report, err := c.core.Upgrade(tb.Context(), o)
	require(tb, what, err)
	return report
}
