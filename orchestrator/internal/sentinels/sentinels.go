package sentinels

import (
	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// Sentinel is a sentinel with its name, which stands for it in JSON and on the control
// socket. Package diagnosis knows some of them by the same name.
type Sentinel struct {
	Name string
	Err  error
}

// All are the sentinels that users match with errors.Is. Of several that an error
// matches, the first explains it best.
var All = []Sentinel{
	{"host-lost", orchestrator.ErrHostLost},
	{"engine-unreachable", orchestrator.ErrEngineUnreachable},
	{"engine-permission", orchestrator.ErrEnginePermission},
	{"engine-too-old", orchestrator.ErrEngineTooOld},
	{"no-registry", images.ErrNoRegistry},
	{"no-image", images.ErrNotFound},
	{"port-taken", orchestrator.ErrPortTaken},
	{"address-pool", orchestrator.ErrAddressPool},
	{"subnet-overlap", orchestrator.ErrSubnetOverlap},
	{"name-taken", orchestrator.ErrNameTaken},
	{"ulimit", orchestrator.ErrUlimit},
	{"cannot-start", orchestrator.ErrCannotStart},
	{"not-found", orchestrator.ErrNotFound},
	{"no-regular-file", orchestrator.ErrNoRegularFile},
	{"conflict", orchestrator.ErrConflict},
	{"not-running", orchestrator.ErrNotRunning},
	{"no-stdin", orchestrator.ErrNoStdin},
	{"no-init", orchestrator.ErrNoInit},
	{"no-faketime", orchestrator.ErrNoFaketime},
	{"no-ipv6", orchestrator.ErrNoIPv6},
	{"no-swarm", orchestrator.ErrNoSwarm},
	{"no-host-gateway", orchestrator.ErrNoHostGateway},
	{"fault-unsupported", orchestrator.ErrFaultUnsupported},
	{"cluster-exists", orchestrator.ErrClusterExists},
	{"no-cluster", orchestrator.ErrNoCluster},
	{"no-node", orchestrator.ErrNoNode},
	{"not-ready", orchestrator.ErrNotReady},
	{"node-failed", orchestrator.ErrNodeFailed},
	{"invalid-spec", orchestrator.ErrInvalidSpec},
	{"closed", orchestrator.ErrClosed},
	{"no-supervisor", orchestrator.ErrNoSupervisor},
	{"overlapping", orchestrator.ErrOverlapping},
}
