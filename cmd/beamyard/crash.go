package main

import (
	"context"
	"fmt"

	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/faults"
)

type crashCmd struct {
	target
	seeded
	electing
	Nodes []string `arg:"" name:"node" sep:"none" complete:"node" help:"The nodes: n1, demo/n1, a role, n*, @one, @minority, @majority, @all, @host:NAME, @leader:EXPR."`
	How   string   `enum:"halt,abort,slogan,oom" default:"halt" help:"halt: the VM ends at once, with exit code 1. abort: it ends by SIGABRT. slogan: it writes a crash dump, and ends with exit code 1. oom: it allocates memory until the kernel kills it (${default})."`
}

func (crashCmd) Help() string {
	return `The VM ends itself, so the node must answer; kill works from outside. The
restart policy applies, as after any crash. oom needs a memory limit: memory: in
beamyard.yml, or squeeze --memory.

  beamyard crash n1                  exit code 1, nothing is stopped or flushed
  beamyard crash n1 --how slogan     with a crash dump`
}

// Run makes VMs crash.
func (c *crashCmd) Run(ctx context.Context, a *app) error {
	return c.withFaults(ctx, a, "crash", c.Nodes, func(i faults.Injector, found discovery.Cluster) error {
		nodes, err := a.chooser(i.Engine, "crash", i.Spec, &c.seeded).nodes(ctx, c.Nodes...)
		if err != nil {
			return err
		}
		controller, hangUp, err := controllerOf(ctx, i.Engine, found.Cluster)
		if err != nil {
			return err
		}
		defer hangUp()
		voters := watchLeader(ctx, controller, c.leaderIn(c.Nodes))
		for _, n := range nodes {
			if err := i.Crash(ctx, controller, n, faults.How(c.How)); err != nil {
				return err
			}
			if _, err := fmt.Fprintf(a.people(), "%s crashes: %s\n", n, c.How); err != nil {
				return err
			}
		}
		if a.json {
			if err := a.printJSON(map[string]any{"nodes": nodes, "how": c.How}); err != nil {
				return err
			}
		}
		_, err = voters.elected(ctx, a)
		return err
	})
}
