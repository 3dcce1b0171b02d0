package cluster

import (
	"context"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/probe"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// Eval implements [orchestrator.Controller].
func (c *Cluster) Eval(ctx context.Context, node, expression string, o orchestrator.EvalOptions) (string, error) {
	beam, addr, err := c.reach(node)
	if err != nil {
		return "", err
	}
	if open, ok := c.links.Get(node); ok && !wait.Closed(open.Done()) {
		return probe.Eval(ctx, open.Link, c.spec.Name, node, expression, o)
	}
	// The supervisor is not connected yet, or is not allowed to connect.
	conn, err := probe.Dial(c.spec, "")(ctx, beam, addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	return probe.Eval(ctx, conn, c.spec.Name, node, expression, o)
}
