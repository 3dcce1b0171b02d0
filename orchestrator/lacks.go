package orchestrator

import (
	"errors"
	"sync/atomic"
)

// This file starts containers on engines that lack a feature which is not essential.

// lacks records what the engine refused, so that each feature is tried only once in a
// cluster.
type lacks struct{ init, hostGateway atomic.Bool }

// leave removes from a container what the engine is known to lack.
func (l *lacks) leave(c *ContainerSpec) {
	c.NoInit = l.init.Load()
	if l.hostGateway.Load() {
		withoutOwn(c)
	}
}

// leftOut removes from a container the feature that the engine refused, if the container
// works without it, and reports whether it did.
func leftOut(c *ContainerSpec, refused error) bool {
	switch {
	case errors.Is(refused, ErrUlimit) && c.NoFile != 0:
		c.NoFile = 0
	case errors.Is(refused, ErrNoInit) && !c.NoInit:
		c.NoInit = true
	case errors.Is(refused, ErrNoHostGateway):
		return withoutOwn(c)
	default:
		return false
	}
	return true
}

// without records that the engine lacks a feature that it refused for a node, and notes
// it once. It reports whether to retry without the feature.
func (c *Cluster) without(refused error, spec ContainerSpec) bool {
	if errors.Is(refused, ErrUlimit) || !leftOut(&spec, refused) {
		return false
	}
	switch {
	case errors.Is(refused, ErrNoInit):
		if !c.site.lacks.init.Swap(true) {
			c.note("", "the engine has no init program (docker-init): nodes run without one, and processes that they leave behind stay as zombies; install it (Debian: apt-get install tini; Podman: catatonit), see beamyard doctor")
		}
	case errors.Is(refused, ErrNoHostGateway):
		if !c.site.lacks.hostGateway.Swap(true) {
			c.note("", "the engine does not know its machine's address: nodes do not find %s; give it in extra_hosts: where they need it", dockerHost)
		}
	}
	return true
}
