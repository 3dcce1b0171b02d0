package main

import (
	"context"

	"github.com/beamyard/beamyard/orchestrator"
)

type (
	pauseCmd   struct{ nodesArgs }
	unpauseCmd struct{ nodesArgs }
)

func (pauseCmd) Help() string {
	return `A paused node neither runs nor answers, and its connections stay open: its peers
notice after net_tick, 60 s unless beamyard.yml says otherwise. It is not
restarted. unpause, stop and restart end the pause.`
}

// Run pauses nodes.
func (c *pauseCmd) Run(ctx context.Context, a *app) error {
	return c.change(ctx, a, "pause", "paused", orchestrator.Controller.Pause)
}

func (unpauseCmd) Help() string {
	return `Nodes that gave the paused one up are connected to it again. It also
succeeds for a node that is not paused.`
}

// Run unpauses nodes.
func (c *unpauseCmd) Run(ctx context.Context, a *app) error {
	return c.change(ctx, a, "unpause", "unpaused", orchestrator.Controller.Unpause)
}
