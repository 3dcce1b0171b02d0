package manifest

import (
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// Helper returns the container of a helper. It resembles a node of that name, with
// its host name, environment and image, on the cluster's network, but has an address
// chosen by the engine, and no host ports or volumes. command replaces a node's command
// and the image's entrypoint, with the cookie in ERL_AFLAGS whatever the nodes run. Its
// creator may end before it does, so [orchestrator.Spec].Owner must be the cluster's.
func Helper(s orchestrator.Spec, networkID string, created time.Time, name string, command []string) orchestrator.ContainerSpec {
	s.Nodes = []orchestrator.NodeSpec{{Name: name, MixEnv: OwnNode(s).MixEnv}}
	s.Release, s.CookieFile, s.Volumes, s.Stdin, s.Clock = false, "", nil, false, false
	c := Container(s, 0, networkID, orchestrator.Placement{}, created)
	c.Entrypoint, c.Command = command[:1], command[1:]
	c.Labels = ClusterLabels(s, created)
	c.Labels[orchestrator.LabelHelper] = name
	return c
}

// SuiteName is the helper's name.
const SuiteName = "test"
