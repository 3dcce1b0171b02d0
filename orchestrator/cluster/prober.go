package cluster

import (
	"context"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/probe"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

// newProber returns what proves the nodes, once the site is known.
func (c *Cluster) newProber() *probe.Prober {
	return &probe.Prober{
		Spec: c.current(), Checks: c.checks(), Links: c.links, Dial: c.opts.dial, Addr: c.site.distAddr,
		Post: c.box.post, Note: c.note, Saw: c.sighted, AwaitReady: c.awaitReady, Ignores: c.ignores,
		Said:    func(r supervisor.RunID, expr string) bool { return c.outputs[r.Node].Out.Said(expr, r.Inc) },
		Adopted: func(r supervisor.RunID) bool { return r.Inc == c.adopted[r.Node] },
	}
}

// checks returns the custom checks of the nodes, without those of their output.
func (c *Cluster) checks() probe.Checks {
	return probe.Checks{Spec: c.spec, Addr: c.site.addr, Eng: c.eng, Clean: c.clean}
}

// sighted records what a node saw of a peer, and reports whether the supervisor does not
// know yet that something changed.
func (c *Cluster) sighted(r supervisor.RunID, e erldist.NodeEvent) (news bool) {
	c.saw(r.Node, e.Node, e.Up, e.Reason, e.Time)
	return !c.sightTold.Swap(true)
}

// awaitReady returns once the cluster is Ready, when over is closed, or when ctx ends. A goroutine
// for each node waits here while the cluster forms: no other change of its state wakes them.
func (c *Cluster) awaitReady(ctx context.Context, over <-chan struct{}) {
	c.mu.Lock()
	whole := c.whole
	c.mu.Unlock()
	select {
	case <-whole:
	case <-over:
	case <-ctx.Done():
	}
}

// ignores publishes the settings of a release or an image that its VM ignores because it
// was given ours as well. It does so once for each cluster, because its nodes are alike.
func (c *Cluster) ignores(ctx context.Context, r supervisor.RunID, flags []string) {
	if c.ignoredTold.Load() {
		return
	}
	at := c.site.slots[r.Node]
	st, _ := c.view.Load().Node(r.Node)
	settings := c.inside.Settings(ctx, c.current(), st.ContainerID, at.index)
	if ctx.Err() != nil || c.ignoredTold.Swap(true) { // the node is ending, or another one has reported it
		return
	}
	n := manifest.NodeEvidence(c.current(), at.index)
	n.State, n.Twice = orchestrator.Ready, flags
	n.Settings = settings
	for _, f := range manifest.CleanFindings(diagnosis.Diagnose(diagnosis.Evidence{Spec: c.current(), Nodes: []diagnosis.Node{n}}), c.clean) {
		c.events.Add(manifest.FindingEvent(f), time.Now())
	}
}
