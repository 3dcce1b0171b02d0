package discovery

import (
	"context"
	"errors"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// PruneOptions select what [Prune] removes. The zero value works.
type PruneOptions struct {
	// DryRun only reports what would be removed.
	DryRun bool
	// OlderThan also selects clusters that were left deliberately (detached, or kept
	// after a failure), if they were created longer ago than this and no supervisor
	// answers for them. 0 keeps them.
	OlderThan time.Duration
	// Supervised reports whether a supervisor answers for a cluster, whoever created it.
	// Such a cluster is kept. Nil: no cluster has a supervisor.
	Supervised func(cluster string) bool
}

// Prune removes the clusters whose owner on this machine is dead. Clusters that were left
// deliberately are kept, unless they are old; see [PruneOptions].
func Prune(ctx context.Context, eng orchestrator.Engine, opts PruneOptions) ([]Removed, error) {
	info, err := eng.Info(ctx)
	if err != nil {
		return nil, err
	}
	found, err := find(ctx, eng, "")
	if err != nil {
		return nil, err
	}
	var all []Removed
	var errs []error
	for _, f := range found {
		if !opts.takes(f, info.Time) {
			continue
		}
		if opts.DryRun {
			all = append(all, f.Removed())
			continue
		}
		r, err := RemoveAll(ctx, eng, f.Cluster)
		all, errs = append(all, r), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// takes reports whether Prune removes a cluster; now is the engine's time, which also
// stamped the cluster.
func (o PruneOptions) takes(f Cluster, now time.Time) bool {
	if alive, known := keeper.Alive(f.Owner); alive || !known && !f.gone {
		return false
	}
	old := o.OlderThan > 0 && now.Sub(f.Created) > o.OlderThan
	if !f.Orphaned() && !old {
		return false
	}
	return o.Supervised == nil || !o.Supervised(f.Cluster)
}
