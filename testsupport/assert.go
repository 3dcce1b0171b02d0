package testsupport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
)

// This file holds what tests wait for. Nodes report changes of the nodes they see; only
// Eventually polls.

// WaitMesh returns once every running node is Ready and sees every other running node, as
// reported by the nodes themselves. Nodes that are down or paused are left out. If ctx
// ends first, the error names each missing pair.
func (c *Cluster) WaitMesh(ctx context.Context) error {
	if c.core == nil {
		return fmt.Errorf("%s: %w", c.name, ErrNotStarted)
	}
	for {
		if err := c.core.Await(ctx, settledNodes); err != nil {
			return c.notMeshed(ctx, err)
		}
		again, err := c.meshed(ctx)
		if err != nil || !again {
			return err
		}
	}
}

// settledNodes reports whether no node is in transition.
func settledNodes(st orchestrator.Status) bool {
	return !slices.ContainsFunc(st.Nodes, func(n orchestrator.NodeStatus) bool {
		return !n.State.Final() && n.State != orchestrator.Ready && !n.Paused
	})
}

// meshed waits until all nodes that answer see each other. again means that a node went down
// during the wait and meshed must be called again.
func (c *Cluster) meshed(ctx context.Context) (again bool, err error) {
	all, err := c.looking(ctx, "")
	if err != nil {
		return false, c.notMeshed(ctx, err)
	}
	defer all.close()
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.node.BEAM()
	}
	for i, s := range all {
		err := s.Until(ctx, func(now erldist.Seen) bool {
			for j, other := range names {
				if i != j && !now.Up[other] {
					return false
				}
			}
			return true
		})
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return false, c.notMeshed(ctx, err)
		case errors.Is(err, erldist.ErrClosed) || !s.node.answers():
			return true, nil
		default:
			return false, err
		}
	}
	return !settledNodes(c.Status()), nil
}

// notMeshed names the nodes that are not Ready and the missing pairs.
func (c *Cluster) notMeshed(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	var missing []string
	st := c.Status()
	for i, n := range st.Nodes {
		if n.State != orchestrator.Ready && !n.State.Final() {
			missing = append(missing, fmt.Sprintf("%s is %s%s", n.Name, n.State, because(n.Reason)))
		}
		for _, m := range st.Nodes[i+1:] {
			if n.State.Running() && m.State.Running() && (!slices.Contains(n.Peers, m.Name) || !slices.Contains(m.Peers, n.Name)) {
				missing = append(missing, fmt.Sprintf("%s and %s do not see each other", n.Name, m.Name))
			}
		}
	}
	if len(missing) == 0 {
		missing = append(missing, "what is missing came just now")
	}
	return fmt.Errorf("the nodes of %s have not met: %s: %w", c.name, strings.Join(missing, "; "), context.Cause(ctx))
}

// WaitDown returns once observer does not see node: at once if it does not see it now, or
// when it reports the nodedown.
func (c *Cluster) WaitDown(ctx context.Context, observer, node string) error {
	return c.sees(ctx, observer, node, false)
}

// WaitUp returns once observer sees node: at once if it sees it now, or when it reports
// the nodeup.
func (c *Cluster) WaitUp(ctx context.Context, observer, node string) error {
	return c.sees(ctx, observer, node, true)
}

func (c *Cluster) sees(ctx context.Context, observer, node string, want bool) error {
	if _, err := c.Node(node).known(); err != nil {
		return err
	}
	s, err := c.Node(observer).look(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	beam := c.Node(node).BEAM()
	if err := s.Until(ctx, func(now erldist.Seen) bool { return now.Up[beam] == want }); err != nil {
		still := "still sees"
		if want {
			still = "does not see"
		}
		return fmt.Errorf("%s %s %s: %w", observer, still, node, err)
	}
	return nil
}

// eventuallyTime is the default time limit of Eventually.
const eventuallyTime = 30 * time.Second

// Eventually calls check until it returns nil, at intervals that grow from 10 ms to 250
// ms. If that takes longer than within (one value; default 30 s), it ends the test with
// the last error of check. Use it for the state of an application, which has to be
// polled. For the connections between nodes, [Cluster.WaitMesh] and [Cluster.WaitDown]
// are better.
func Eventually(tb testing.TB, check func() error, within ...time.Duration) {
	tb.Helper()
	limit := eventuallyTime
	if len(within) > 0 {
		limit = within[0]
	}
	if err := eventually(tb.Context(), limit, check); err != nil {
		require(tb, "eventually", err)
	}
}

// eventually is Eventually without a test.
func eventually(ctx context.Context, limit time.Duration, check func() error) error {
	const longest = 250 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, longest) {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return fmt.Errorf("the test ended: %w", err)
			}
			return fmt.Errorf("not within %s: %w", limit, err)
		}
	}
}
