package orchestrator

import (
	"context"
	"fmt"
)

// This file handles containers of a cluster that are not nodes. They have no supervisor,
// and whatever removes the cluster removes them.

// helpersOf returns the helpers among a cluster's containers, by purpose.
func helpersOf(containers []Container) map[string]Container {
	helpers := map[string]Container{}
	for _, c := range containers {
		if name := c.Labels[LabelHelper]; name != "" {
			helpers[name] = c
		}
	}
	return helpers
}

// helperSpec returns the container of a helper. It resembles a node of that name, with
// its host name, environment and image, on the cluster's network, but has an address
// chosen by the engine, and no host ports or volumes. command replaces a node's command
// and the image's entrypoint, with the cookie in ERL_AFLAGS whatever the nodes run. Its
// creator may end before it does: it has the cluster's owner.
func (f Found) helperSpec(name string, command []string) ContainerSpec {
	s := f.Spec
	s.Owner = f.Owner
	s.Nodes = []NodeSpec{{Name: name, MixEnv: s.made().MixEnv}}
	s.Release, s.CookieFile, s.Volumes, s.Stdin = false, "", nil, false
	c := containerSpec(s, 0, f.NetworkID, placement{}, f.Created)
	c.Entrypoint, c.Command = command[:1], command[1:]
	c.Labels = clusterLabels(s, f.Created)
	c.Labels[LabelHelper] = name
	return c
}

// attachHelper connects a helper that was just created to the additional networks of its
// cluster, by its host name only: it provides no service there.
func (f Found) attachHelper(ctx context.Context, eng Engine, name, id string) error {
	for _, network := range sortedKeys(f.Spec.Networks) {
		if err := eng.ConnectNetwork(ctx, network, id, []string{f.Spec.names().Dotted(name)}); err != nil {
			return fmt.Errorf("attach to network %s: %w", network, err)
		}
	}
	return nil
}
