package orchestrator

import (
	"context"
	"fmt"
)

// This file is about containers of a cluster that are no nodes of it: nobody
// supervises them, and whatever removes the cluster removes them.

// helpersOf are those of a cluster's containers, by what they are for.
func helpersOf(containers []Container) map[string]Container {
	helpers := map[string]Container{}
	for _, c := range containers {
		if name := c.Labels[LabelHelper]; name != "" {
			helpers[name] = c
		}
	}
	return helpers
}

// helperSpec is the container of a helper: as a node of that name would be, with
// its host name, environment and image, on the cluster's network, but at an
// address of the engine's choice, without host ports and volumes. command runs in
// place of a node's and of the image's entrypoint, with the cookie in ERL_AFLAGS
// whatever the nodes run. Those who make it run on their own: it carries the owner
// of the cluster.
func (f Found) helperSpec(name string, command []string) ContainerSpec {
	s := f.Spec
	s.Owner = f.Owner
	s.Nodes = []NodeSpec{{Name: name}}
	s.MixEnv = s.mixEnv(s.ImageEnv) // as the nodes', whatever they run
	s.Release, s.CookieFile, s.Volumes, s.Stdin = false, "", nil, false
	c := containerSpec(s, 0, f.NetworkID, placement{}, f.Created)
	c.Entrypoint, c.Command = command[:1], command[1:]
	c.Labels = clusterLabels(s, f.Created)
	c.Labels[LabelHelper] = name
	return c
}

// attachHelper gives a helper that was just made the other networks of its cluster,
// by its host name alone: it serves nobody there.
func (f Found) attachHelper(ctx context.Context, eng Engine, name, id string) error {
	for _, network := range sortedKeys(f.Spec.Networks) {
		if err := eng.ConnectNetwork(ctx, network, id, []string{f.Spec.names().Dotted(name)}); err != nil {
			return fmt.Errorf("attach to network %s: %w", network, err)
		}
	}
	return nil
}
