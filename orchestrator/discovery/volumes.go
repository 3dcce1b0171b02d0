package discovery

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// ListVolumes returns the names of a cluster's volumes, whether it is up or not. With ""
// it returns those of all clusters.
func ListVolumes(ctx context.Context, eng orchestrator.Engine, cluster string) ([]string, error) {
	label := map[string]string{}
	if cluster != "" {
		label[orchestrator.LabelCluster] = cluster
	}
	volumes, err := eng.Volumes(ctx, label)
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	var names []string
	for _, v := range volumes {
		if v.Labels[orchestrator.LabelCluster] != "" {
			names = append(names, v.Name)
		}
	}
	return slices.Compact(names), nil // several hosts can have one, after a move
}

// RemoveVolumes removes the volumes of a cluster that is down, with their content, and
// returns their names.
func RemoveVolumes(ctx context.Context, eng orchestrator.Engine, cluster string) (removed []string, err error) {
	names, err := ListVolumes(ctx, eng, cluster)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if one := eng.RemoveVolume(ctx, name); one != nil {
			err = errors.Join(err, fmt.Errorf("remove volume %s: %w", name, one))
			continue
		}
		removed = append(removed, name)
	}
	if err != nil {
		err = orchestrator.WithHint(err, "take the cluster down first: %s", hint.DownVolumes.On(cluster))
	}
	return removed, err
}

// UnusedVolumes returns the volumes of clusters that are not up, by cluster.
func UnusedVolumes(ctx context.Context, eng orchestrator.Engine) (map[string][]string, error) {
	volumes, err := eng.Volumes(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	up, err := List(ctx, eng)
	if err != nil {
		return nil, err
	}
	unused := map[string][]string{}
	for _, v := range volumes {
		if cluster := v.Labels[orchestrator.LabelCluster]; cluster != "" && !slices.ContainsFunc(up, func(st orchestrator.Status) bool { return st.Cluster == cluster }) {
			unused[cluster] = append(unused[cluster], v.Name)
		}
	}
	return unused, nil
}
