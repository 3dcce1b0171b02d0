package main

import (
	"context"

	"github.com/beamyard/beamyard/orchestrator"
)

type pruneCmd struct {
	DryRun bool `help:"Only say what would be removed."`
}

func (pruneCmd) Help() string {
	return `A cluster is left behind when the process that kept it is gone from this machine
without cleaning up. Clusters started with up -d outlive their supervisor on
purpose: they are kept, and down removes them.`
}

// Run removes what was left behind.
func (c *pruneCmd) Run(ctx context.Context, a *app) error {
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	removed, err := orchestrator.Prune(ctx, eng, c.DryRun)
	if removed == nil {
		removed = []orchestrator.Removed{}
	}
	if !c.DryRun {
		for _, r := range removed {
			forget(r.Cluster)
		}
	}
	verb := "was left behind: removed"
	if c.DryRun {
		verb = "was left behind: would remove"
	}
	if printErr := a.printRemoved(removed, verb); printErr != nil {
		return printErr
	}
	if err == nil && len(removed) == 0 {
		a.say("nothing was left behind")
	}
	return err
}
