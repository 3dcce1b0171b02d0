package manifest

import (
	"errors"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
)

// WithoutOwnHost removes our own host entry from a container's extra hosts, and reports
// whether it was there.
func WithoutOwnHost(c *orchestrator.ContainerSpec) bool {
	before := len(c.ExtraHosts)
	c.ExtraHosts = slices.DeleteFunc(slices.Clone(c.ExtraHosts), func(h string) bool { return h == DockerHost+":"+orchestrator.HostGateway })
	return len(c.ExtraHosts) < before
}

// LeaveOut removes from a container the feature that the engine refused, if the container
// works without it, and reports whether it did.
func LeaveOut(c *orchestrator.ContainerSpec, refused error) bool {
	switch {
	case errors.Is(refused, orchestrator.ErrUlimit) && c.NoFile != 0:
		c.NoFile = 0
	case errors.Is(refused, orchestrator.ErrNoInit) && !c.NoInit:
		c.NoInit = true
	case errors.Is(refused, orchestrator.ErrNoHostGateway):
		return WithoutOwnHost(c)
	default:
		return false
	}
	return true
}
