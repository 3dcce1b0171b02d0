package cluster

import (
	"errors"
	"sync/atomic"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file starts containers on engines that lack a feature which is not essential.

// lacks records what the engine refused, so that each feature is tried only once in a
// cluster.
type lacks struct{ init, hostGateway atomic.Bool }

// leave removes from a container what the engine is known to lack.
func (l *lacks) leave(c *orchestrator.ContainerSpec) {
	c.NoInit = l.init.Load()
	if l.hostGateway.Load() {
		manifest.WithoutOwnHost(c)
	}
}

// without records that the engine lacks a feature that it refused for a node, and notes
// it once. It reports whether to retry without the feature.
func (c *Cluster) without(refused error, spec orchestrator.ContainerSpec) bool {
	if errors.Is(refused, orchestrator.ErrUlimit) || !manifest.LeaveOut(&spec, refused) {
		return false
	}
	switch {
	case errors.Is(refused, orchestrator.ErrNoInit):
		if !c.site.lacks.init.Swap(true) {
			c.advise("", hint.Newf("install it (Debian: apt-get install tini; Podman: catatonit), see %s", hint.Doctor.With()),
				"the engine has no init program (docker-init): nodes run without one, and processes that they leave behind stay as zombies")
		}
	case errors.Is(refused, orchestrator.ErrNoHostGateway):
		if !c.site.lacks.hostGateway.Swap(true) {
			c.advise("", hint.Newf("where they need it, give it in %s", hint.Setting("extra_hosts")),
				"the engine does not know its machine's address: nodes do not find "+manifest.DockerHost)
		}
	}
	return true
}
