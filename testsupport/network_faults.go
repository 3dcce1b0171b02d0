package testsupport

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/ask"
	"github.com/beamyard/beamyard/orchestrator/faults"
)

// This file injects and heals faults, and breaks the network of clusters on purpose: see packages
// network/fault and orchestrator/faults.

// Partition cuts groups of nodes off from each other; nodes that are in no group form one more.
// Packets between the groups disappear in silence. It returns the fault's ID when every node that
// saw one of another group has seen it go down, which takes as long as net_ticktime: see
// [WithNetTick]. The fault is healed when the test ends.
//
//	c.Partition(t, []string{"n1"})                      // n1 | the others
//	c.Partition(t, []string{"n1", "n2"}, []string{"n3"})
func (c *Cluster) Partition(tb testing.TB, groups ...[]string) (id string) {
	tb.Helper()
	return c.Inject(tb, fault.Partition(groups...))
}

// Slow makes links between nodes lossy or slow: each pair is one direction, and fault.Everyone
// stands for all nodes. It returns the fault's ID. What the engine's kernel cannot do fails the
// test: latency, jitter, duplicates, corruption and reordering need netem. The fault is healed
// when the test ends.
func (c *Cluster) Slow(tb testing.TB, q fault.Quality, pairs ...fault.Pair) (id string) {
	tb.Helper()
	return c.Inject(tb, fault.Link(q, pairs...))
}

// Inject brings any fault into force, and returns its ID. Package fault has constructors
// of the usual shapes: fault.Halves(names), fault.Bridge(names, "n2"), fault.OneWay(pairs...).
// With How: fault.Reset connections are refused and reset at once. It returns when every node that
// saw one that it is cut off from has seen it go down. The fault is healed when the test ends.
func (c *Cluster) Inject(tb testing.TB, f fault.Fault) (id string) {
	tb.Helper()
	c.fault(tb, f.String(), nil, func(ctx context.Context) error {
		all, err := c.looking(ctx, "")
		if err != nil {
			return err
		}
		defer all.close()
		type view struct {
			seeing sights
			peer   *Node
		}
		var views []view
		cuts := f.Cuts(c.names())
		for _, peer := range c.Nodes() {
			apart := slices.DeleteFunc(all.seeing(peer.BEAM()), func(s sight) bool {
				return !slices.Contains(cuts, fault.Pair{From: s.node.name, To: peer.name}) && !slices.Contains(cuts, fault.Pair{From: peer.name, To: s.node.name})
			})
			views = append(views, view{apart, peer})
		}
		began := time.Now()
		injected, err := c.injector().Inject(ctx, f, 0)
		if err != nil {
			return err
		}
		c.log.begin("fault "+injected.ID, f.String(), began)
		id = injected.ID
		heal := func(ctx context.Context) error { return c.heal(ctx, id) }
		c.undone(tb, "fault "+id, heal) //nolint:contextcheck // when the test ends, ctx has ended
		for _, v := range views {
			beam := v.peer.BEAM()
			if err := v.seeing.until(ctx, "does not see "+v.peer.name+" go", func(now erldist.Seen) bool { return now.Downs[beam] > 0 }); err != nil {
				return err
			}
		}
		return nil
	})
	return id
}

// Heal ends faults by their IDs, or all without any. It returns when every node sees all
// others that no fault cuts off from it.
func (c *Cluster) Heal(tb testing.TB, ids ...string) {
	tb.Helper()
	c.fault(tb, "heal", nil, func(ctx context.Context) error {
		all, err := c.injector().List(ctx)
		if err != nil {
			return err
		}
		for _, f := range all {
			if len(ids) > 0 && !slices.Contains(ids, f.ID) {
				continue
			}
			if err := c.heal(ctx, f.ID); err != nil {
				return err
			}
			again := func(ctx context.Context) error {
				_, err := c.injector().Inject(ctx, f, 0)
				return err
			}
			c.mended(tb, "fault "+f.ID, again) //nolint:contextcheck // when the test ends, ctx has ended
		}
		return nil
	})
}

// Blip resets every TCP connection between groups of nodes within milliseconds of each other, or
// between all nodes without groups. They may connect again at once. It returns when every node
// that saw one of another group has seen it go down.
func (c *Cluster) Blip(tb testing.TB, groups ...[]string) {
	tb.Helper()
	f := fault.Partition(groups...)
	if len(groups) == 0 {
		f = fault.Isolate(c.names()...)
	}
	c.fault(tb, "blip", nil, func(ctx context.Context) error {
		all, err := c.looking(ctx, "")
		if err != nil {
			return err
		}
		defer all.close()
		cuts := f.Cuts(c.names())
		seen := map[*Node]sights{}
		for _, peer := range c.Nodes() {
			seen[peer] = slices.DeleteFunc(all.seeing(peer.BEAM()), func(s sight) bool {
				return !slices.Contains(cuts, fault.Pair{From: s.node.name, To: peer.name})
			})
		}
		began := time.Now()
		defer func() { c.log.passed("blip", began, time.Now()) }()
		if _, err := c.injector().ResetConnections(ctx, cuts); err != nil {
			return err
		}
		for peer, seeing := range seen {
			if err := seeing.until(ctx, "does not see "+peer.name+" go", func(now erldist.Seen) bool { return now.Downs[peer.BEAM()] > 0 }); err != nil {
				return err
			}
		}
		return nil
	})
}

// heal ends one fault, and waits until the nodes that it cut see each other, unless another fault
// keeps them apart, and until global has handled what the nodes told each other of the loss.
func (c *Cluster) heal(ctx context.Context, id string) error {
	injector := c.injector()
	healed, err := injector.Heal(ctx, id)
	if err != nil {
		return err
	}
	left, err := injector.List(ctx)
	if err != nil {
		return err
	}
	apart := map[fault.Pair]bool{}
	for _, f := range left {
		for _, p := range f.Cuts(c.names()) {
			apart[p], apart[fault.Pair{From: p.To, To: p.From}] = true, true
		}
	}
	if err := c.reconnected(ctx, healed, apart); err != nil {
		return err
	}
	if c.core.Spec().Mesh == orchestrator.MeshBeamyard {
		ask.SyncNames(ctx, c.core, ask.Up(c.Status()))
		if err := c.reconnected(ctx, healed, apart); err != nil {
			return err
		}
	}
	cutOff := map[string]bool{}
	for p := range apart {
		cutOff[p.From] = true
	}
	for _, n := range c.Nodes() {
		if !n.answers() || cutOff[n.name] {
			continue
		}
		if err := c.await(ctx, n.name, func(st orchestrator.NodeStatus) bool { return st.State.Final() || c.proven(st) }); err != nil {
			return err
		}
	}
	return nil
}

// reconnected waits until the nodes that these faults cut see each other, except those that stay
// apart.
func (c *Cluster) reconnected(ctx context.Context, healed []fault.Fault, apart map[fault.Pair]bool) error {
	all, err := c.looking(ctx, "")
	if err != nil {
		return err
	}
	defer all.close()
	for _, f := range healed {
		for _, p := range f.Cuts(c.names()) {
			peer := c.Node(p.To)
			if apart[p] || !peer.answers() || slices.Contains(peer.Status().Cut, p.From) {
				continue
			}
			from := slices.DeleteFunc(slices.Clone(all), func(s sight) bool { return s.node.name != p.From })
			if err := from.until(ctx, fmt.Sprintf("does not see %s again", p.To), func(now erldist.Seen) bool { return now.Up[peer.BEAM()] }); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Cluster) names() []string {
	var names []string
	for _, n := range c.Nodes() {
		names = append(names, n.name)
	}
	return names
}

func (c *Cluster) injector() faults.Injector { return c.core.Faults() }
