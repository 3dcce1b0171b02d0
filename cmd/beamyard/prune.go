package main

import (
	"context"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
)

type pruneCmd struct {
	DryRun    bool          `help:"Only say what would be removed."`
	OlderThan time.Duration `placeholder:"24h" help:"Also what was left on purpose, where it is older and nobody supervises it."`
}

func (pruneCmd) Help() string {
	return `A cluster is left behind when the process that kept it is gone from this machine
without cleaning up. Clusters started with up -d outlive their supervisor on
purpose, and --keep-on-failure keeps what failed: these stay, and down removes
them, or --older-than. A cluster of another machine is never touched.`
}

// Run removes what was left behind.
func (c *pruneCmd) Run(ctx context.Context, a *app) error {
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	removed, err := orchestrator.Prune(ctx, eng, orchestrator.PruneOptions{
		DryRun: c.DryRun, OlderThan: c.OlderThan,
		Supervised: func(cluster string) bool {
			client, err := control.Dial(ctx, cluster)
			if err == nil {
				client.Close()
			}
			return err == nil
		},
	})
	if removed == nil {
		removed = []orchestrator.Removed{}
	}
	if !c.DryRun {
		for _, r := range removed {
			forget(ctx, r.Cluster)
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
