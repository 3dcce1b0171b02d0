package orchestrator

import (
	"errors"
	"sync/atomic"
)

// This file starts containers on engines that lack something which can be done
// without.

// lacks is what the engine refused so far, so that it is tried once a cluster.
type lacks struct{ init, hostGateway atomic.Bool }

// leave leaves out of a container what the engine is known to lack.
func (l *lacks) leave(c *ContainerSpec) {
	c.NoInit = l.init.Load()
	if l.hostGateway.Load() {
		withoutOwn(c)
	}
}

// leftOut leaves out of a container what the engine refused it for, where it can do
// without, and reports whether it did.
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

// without notes that the engine lacks what it refused a node for, and says so once.
// It reports whether the node is to be tried without.
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
