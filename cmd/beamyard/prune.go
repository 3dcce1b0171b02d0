package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
)

type pruneCmd struct {
	DryRun    bool          `help:"Only say what would be removed."`
	Volumes   bool          `help:"Also the named volumes of clusters that are not up, with what is in them."`
	OlderThan time.Duration `placeholder:"24h" help:"Also what was left on purpose, where it is older and nobody supervises it."`
}

func (pruneCmd) Help() string {
	return `A cluster is left behind when the process that kept it is gone from this machine
without cleaning up. Clusters started with up -d outlive their supervisor on
purpose, and --keep-on-failure keeps what failed: these stay, and down removes
them, or --older-than. A cluster of another machine is never touched. Named volumes
outlive every cluster: without --volumes they stay.`
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
	volumes, volumesErr := c.volumes(ctx, eng, removed)
	removed, err = volumes, errors.Join(err, volumesErr)
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

// volumes removes those of clusters that are not up, or finds those that stay.
func (c *pruneCmd) volumes(ctx context.Context, eng orchestrator.Engine, all []orchestrator.Removed) ([]orchestrator.Removed, error) {
	unused, err := orchestrator.UnusedVolumes(ctx, eng)
	if err != nil || len(unused) == 0 {
		return all, err
	}
	for _, cluster := range slices.Sorted(maps.Keys(unused)) {
		i := slices.IndexFunc(all, func(r orchestrator.Removed) bool { return r.Cluster == cluster })
		switch {
		case i < 0 && !c.Volumes:
			continue // nothing else of it was there: they are kept on purpose
		case i < 0:
			all = append(all, orchestrator.Removed{Cluster: cluster, Containers: []string{}, Networks: []string{}})
			i = len(all) - 1
		}
		switch {
		case !c.Volumes:
			all[i].Kept = unused[cluster]
		case c.DryRun:
			all[i].Volumes = unused[cluster]
		default:
			var one error
			all[i].Volumes, one = orchestrator.RemoveVolumes(ctx, eng, cluster)
			err = errors.Join(err, one)
		}
	}
	return all, err
}
