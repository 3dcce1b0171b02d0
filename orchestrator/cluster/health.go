package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/probe"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

// Health implements [orchestrator.Controller], over the links of the probes.
func (c *Cluster) Health(ctx context.Context) (orchestrator.HealthReport, error) {
	st := c.view.Load()
	c.mu.Lock()
	over := c.ended
	c.mu.Unlock()
	if over || st.NetworkID == "" { // it cannot be examined before it has a network
		return orchestrator.HealthReport{}, orchestrator.WithHint(orchestrator.ErrClosed, "see what it does: %s", hint.Status.On(c.spec.Name))
	}
	began, own, nodes := time.Now(), c.checks(), st.Nodes
	seen := make([]health.Seen, len(nodes))
	var group sync.WaitGroup
	for i, n := range nodes {
		group.Go(func() {
			conn, ok := c.links.Get(n.Name)
			if !ok || !n.State.Running() || n.Paused { // the link of a node that just stopped may still exist
				seen[i] = probe.Unanswered(c.spec.Name, n)
				return
			}
			ask := health.Ask{App: c.current().Node(n.Name).App, Modules: true, Since: conn.Since(time.Now()), Window: health.OneOff}
			seen[i] = probe.Examine(ctx, n, conn.Link, ask, own)
			if conn.Last == nil && seen[i].Sample != nil { // the next report does not have to wait for its load
				c.links.Note(supervisor.RunID{Node: n.Name, Inc: conn.Inc}, *seen[i].Sample)
			}
		})
	}
	group.Wait()
	for i, n := range nodes {
		seen[i].Apart = n.Cut
	}
	var known []orchestrator.Finding
	for _, n := range nodes {
		known = append(known, orchestrator.FindingsFor(n.Findings, n.Name)...)
	}
	return probe.Report(ctx, began, c.current(), seen, known, st.Faults, c.clean)
}
