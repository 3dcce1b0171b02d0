package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// This file handles named volumes. They outlive their cluster: only [RemoveVolumes]
// removes them.

// volumeLabels identify the volumes of a node, and are set on them in addition to the
// spec's. They do not include the cluster's owner: the next cluster of that name uses the
// volume, too.
func volumeLabels(s Spec, node string) map[string]string {
	return map[string]string{LabelCluster: s.Name, LabelNode: node}
}

// createVolumes creates the missing volumes of node i, and returns the mount points of
// the new ones.
func (c *Cluster) createVolumes(ctx context.Context, i int) (fresh []string, err error) {
	s := c.site.spec
	mounts, labels := volumesOf(s, i), volumeLabels(s, s.Nodes[i].Name)
	if len(mounts) == 0 {
		return nil, nil
	}
	err = c.retryUnavailable(ctx, func() error {
		have, err := c.eng.Volumes(ctx, labels)
		if err != nil {
			return fmt.Errorf("list volumes: %w", err)
		}
		for _, v := range mounts {
			if slices.ContainsFunc(have, func(h Volume) bool { return h.Name == v.Volume }) {
				continue
			}
			if !slices.Contains(fresh, v.Target) {
				fresh = append(fresh, v.Target)
			}
			if err := c.eng.CreateVolume(ctx, Volume{Name: v.Volume, Labels: over(s.Labels, labels)}); err != nil {
				return fmt.Errorf("create volume %s: %w", v.Volume, err)
			}
		}
		return nil
	})
	return fresh, err
}

// addFresh records the mount points of new volumes. They stay recorded until the node's
// user owns them.
func (at *slot) addFresh(targets []string) {
	for _, target := range targets {
		if !slices.Contains(at.fresh, target) {
			at.fresh = append(at.fresh, target)
		}
	}
}

// rollback removes a container that could not be given everything its node needs ("" for
// none), and its new volumes: the next container of that name would reuse them, and could
// not write to them. The next launch replaces what cannot be removed, see
// [Cluster.create]. It also works after ctx has ended.
func (c *Cluster) rollback(ctx context.Context, id string, at *slot) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardown)
	defer cancel()
	if id != "" {
		if err := c.eng.RemoveContainer(ctx, id); err != nil {
			return fmt.Errorf("remove what was made of it: %w", err)
		}
	}
	var errs []error
	for _, v := range volumesOf(c.site.spec, at.index) {
		if !slices.Contains(at.fresh, v.Target) {
			continue
		}
		if err := c.eng.RemoveVolume(ctx, v.Volume); err != nil {
			errs = append(errs, fmt.Errorf("remove volume %s: %w", v.Volume, err))
		}
	}
	if len(errs) == 0 {
		at.fresh = nil
	}
	return errors.Join(errs...)
}

// hasVolumes reports whether the cluster leaves volumes when it is removed.
func (s Spec) hasVolumes() bool {
	return len(s.Volumes) > 0 || slices.ContainsFunc(s.Nodes, func(n NodeSpec) bool { return len(n.Volumes) > 0 })
}

// ListVolumes returns the names of a cluster's volumes, whether it is up or not. With ""
// it returns those of all clusters.
func ListVolumes(ctx context.Context, eng Engine, cluster string) ([]string, error) {
	label := map[string]string{}
	if cluster != "" {
		label[LabelCluster] = cluster
	}
	volumes, err := eng.Volumes(ctx, label)
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	var names []string
	for _, v := range volumes {
		if v.Labels[LabelCluster] != "" {
			names = append(names, v.Name)
		}
	}
	return names, nil
}

// RemoveVolumes removes the volumes of a cluster that is down, with their content, and
// returns their names.
func RemoveVolumes(ctx context.Context, eng Engine, cluster string) (removed []string, err error) {
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
		err = WithHint(err, "take the cluster down first: beamyard down %s --volumes", cluster)
	}
	return removed, err
}

// UnusedVolumes returns the volumes of clusters that are not up, by cluster.
func UnusedVolumes(ctx context.Context, eng Engine) (map[string][]string, error) {
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
		if cluster := v.Labels[LabelCluster]; cluster != "" && !slices.ContainsFunc(up, func(st Status) bool { return st.Cluster == cluster }) {
			unused[cluster] = append(unused[cluster], v.Name)
		}
	}
	return unused, nil
}
