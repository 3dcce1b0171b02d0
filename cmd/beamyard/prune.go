package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/parking"
)

type pruneCmd struct {
	DryRun    bool          `help:"Only show what would be removed."`
	Volumes   bool          `help:"Also remove named volumes of clusters that are not up, with their data."`
	OlderThan time.Duration `placeholder:"24h" help:"Also remove detached and kept clusters that are older than this and have no supervisor."`
}

func (pruneCmd) Help() string {
	return `Removes clusters whose process on this machine ended without cleaning up. Clusters
started with up -d outlive their supervisor, and --keep-on-failure keeps failed
ones: these stay until down, or --older-than, removes them. Clusters of another
machine are never removed. Named volumes stay unless --volumes is given.
Clusters that are parked for a next start (warm: in beamyard.yml) are removed.`
}

// Run removes what earlier clusters left behind.
func (c *pruneCmd) Run(ctx context.Context, a *app) error {
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	parked, err := c.parked(ctx, eng)
	if err != nil {
		return err
	}
	removed, err := discovery.Prune(ctx, eng, discovery.PruneOptions{
		DryRun: c.DryRun, OlderThan: c.OlderThan,
		Supervised: func(cluster string) bool {
			client, err := control.Dial(ctx, cluster)
			if err == nil {
				client.Close()
			}
			return err == nil
		},
	})
	removed = append(parked, removed...)
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

// parked removes the clusters that are parked for a next start, or lists them. Their lot removes
// them, which gives each to one process only.
func (c *pruneCmd) parked(ctx context.Context, eng orchestrator.Engine) ([]discovery.Removed, error) {
	all := []discovery.Removed{}
	found, err := discovery.All(ctx, eng)
	if err != nil {
		return all, err
	}
	info, err := eng.Info(ctx)
	if err != nil {
		return all, err
	}
	var evicted []string
	if !c.DryRun {
		evicted = parking.Evict(ctx, info, "")
	}
	for _, f := range found {
		if f.Parked && (c.DryRun && !f.Orphaned() || slices.Contains(evicted, f.Cluster)) {
			all = append(all, f.Removed())
		}
	}
	return all, nil
}

// volumes removes the volumes of clusters that are not up, or lists those that are kept.
func (c *pruneCmd) volumes(ctx context.Context, eng orchestrator.Engine, all []discovery.Removed) ([]discovery.Removed, error) {
	unused, err := discovery.UnusedVolumes(ctx, eng)
	if err != nil || len(unused) == 0 {
		return all, err
	}
	for _, cluster := range slices.Sorted(maps.Keys(unused)) {
		i := slices.IndexFunc(all, func(r discovery.Removed) bool { return r.Cluster == cluster })
		switch {
		case i < 0 && !c.Volumes:
			continue // only volumes were left: they are kept on purpose
		case i < 0:
			all = append(all, discovery.Removed{Cluster: cluster, Containers: []string{}, Networks: []string{}})
			i = len(all) - 1
		}
		switch {
		case !c.Volumes:
			all[i].Kept = unused[cluster]
		case c.DryRun:
			all[i].Volumes = unused[cluster]
		default:
			var one error
			all[i].Volumes, one = discovery.RemoveVolumes(ctx, eng, cluster)
			err = errors.Join(err, one)
		}
	}
	return all, err
}
