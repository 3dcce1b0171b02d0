package provision

import (
	"errors"
	"sync/atomic"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// Lacks are features that an engine does not have, and that are not essential for a container. Each
// is tried only once. The zero value lacks nothing. It is safe for concurrent use.
type Lacks struct{ init, hostGateway atomic.Bool }

// Leave removes from a container what the engine is known to lack.
func (l *Lacks) Leave(c *orchestrator.ContainerSpec) {
	c.NoInit = l.init.Load()
	if l.hostGateway.Load() {
		manifest.WithoutOwnHost(c)
	}
}

// Without records a feature that the engine refused for a container. It reports whether to try again
// without the feature, and the first time for each feature what to tell the user.
func (l *Lacks) Without(refused error, spec orchestrator.ContainerSpec) (again bool, text string, next hint.Hint) {
	if errors.Is(refused, orchestrator.ErrUlimit) || !manifest.LeaveOut(&spec, refused) {
		return false, "", nil
	}
	switch {
	case errors.Is(refused, orchestrator.ErrNoInit) && !l.init.Swap(true):
		return true, "the engine has no init program (docker-init): nodes run without one, and processes that they leave behind stay as zombies",
			hint.Newf("install it (Debian: apt-get install tini; Podman: catatonit), see %s", hint.Doctor.With())
	case errors.Is(refused, orchestrator.ErrNoHostGateway) && !l.hostGateway.Swap(true):
		return true, "the engine does not know its machine's address: nodes do not find " + manifest.DockerHost,
			hint.Newf("where they need it, give it in %s", hint.Setting("extra_hosts"))
	}
	return true, "", nil
}
