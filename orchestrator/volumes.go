package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// This file is about named volumes. They outlive their cluster: nothing but
// [RemoveVolumes] takes them away.

// volumeLabels find the volumes of a node, and go on them beside the spec's. Who made the cluster is not among them:
// the next one of its name has the volume, too.
func volumeLabels(s Spec, node string) map[string]string {
	return map[string]string{LabelCluster: s.Name, LabelNode: node}
}

// createVolumes makes the volumes of node i, where they are not there already, and
// returns where those sit in its container that are new.
func (c *Cluster) createVolumes(ctx context.Context, i int) (fresh []string, err error) {
	s := c.site.spec
	mounts, labels := volumesOf(s, i), volumeLabels(s, s.Nodes[i].Name)
	if len(mounts) == 0 {
		return nil, nil
	}
	err = c.patiently(ctx, func() error {
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

// addFresh notes where volumes sit that were just made. They stay noted until
// they are the node's user's.
func (at *slot) addFresh(targets []string) {
	for _, target := range targets {
		if !slices.Contains(at.fresh, target) {
			at.fresh = append(at.fresh, target)
		}
	}
}

// abandon removes a container that could not be given all that its node needs, "" for
// none, and its fresh volumes: the next one of that name would take them for its own,
// and could not write. What cannot be removed is replaced by the next launch, see
// [Cluster.create]. It works also where ctx has ended.
func (c *Cluster) abandon(ctx context.Context, id string, at *slot) error {
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

// hasVolumes reports whether something of the cluster stays when it is down.
func (s Spec) hasVolumes() bool {
	return len(s.Volumes) > 0 || slices.ContainsFunc(s.Nodes, func(n NodeSpec) bool { return len(n.Volumes) > 0 })
}

// ListVolumes returns the names of a cluster's volumes, whether it is up or not;
// of all clusters for "".
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

// RemoveVolumes removes the volumes of a cluster that is down, with what is in
// them, and returns their names.
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
