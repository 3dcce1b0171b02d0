package orchestrator

import "github.com/beamyard/beamyard/images"

// Sentinel is a sentinel with its name, which stands for it in JSON and on the control
// socket. Package diagnosis knows some of them by the same name.
type Sentinel struct {
	Name string
	Err  error
}

// Sentinels are the sentinels that users match with errors.Is. Of several that an error
// matches, the first explains it best.
var Sentinels = []Sentinel{
	{"host-lost", ErrHostLost},
	{"engine-unreachable", ErrEngineUnreachable},
	{"engine-permission", ErrEnginePermission},
	{"engine-too-old", ErrEngineTooOld},
	{"no-registry", images.ErrNoRegistry},
	{"no-image", images.ErrNotFound},
	{"port-taken", ErrPortTaken},
	{"address-pool", ErrAddressPool},
	{"subnet-overlap", ErrSubnetOverlap},
	{"name-taken", ErrNameTaken},
	{"ulimit", ErrUlimit},
	{"cannot-start", ErrCannotStart},
	{"not-found", ErrNotFound},
	{"no-regular-file", ErrNoRegularFile},
	{"conflict", ErrConflict},
	{"not-running", ErrNotRunning},
	{"no-stdin", ErrNoStdin},
	{"no-init", ErrNoInit},
	{"no-faketime", ErrNoFaketime},
	{"no-ipv6", ErrNoIPv6},
	{"no-swarm", ErrNoSwarm},
	{"no-host-gateway", ErrNoHostGateway},
	{"fault-unsupported", ErrFaultUnsupported},
	{"cluster-exists", ErrClusterExists},
	{"no-cluster", ErrNoCluster},
	{"no-node", ErrNoNode},
	{"not-ready", ErrNotReady},
	{"node-failed", ErrNodeFailed},
	{"invalid-spec", ErrInvalidSpec},
	{"closed", ErrClosed},
	{"no-supervisor", ErrNoSupervisor},
	{"overlapping", ErrOverlapping},
}
