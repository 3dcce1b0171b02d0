package reach

import (
	"fmt"
	"slices"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
)

// This file says what stands between this machine and the nodes, in words for users.

// MakeRoom enlarges the kernel's neighbour table if the mesh of as many nodes is larger than it, as
// the engine does for its overlay networks. It returns what it did, or what to type if this process
// may not; "" if there is room.
func MakeRoom(nodes int, info orchestrator.EngineInfo) string {
	limit, known := network.NeighbourLimit()
	if !info.Local || !known || nodes*nodes <= limit*3/4 {
		return ""
	}
	if err := network.RaiseNeighbourLimit(); err != nil {
		return fmt.Sprintf("%d nodes need %d entries of the kernel's neighbour table, which has %d: connections will time out (%v); %s",
			nodes, nodes*nodes, limit, err, network.NeighbourCommand)
	}
	return fmt.Sprintf("raised the limit of the kernel's neighbour table from %d: %d nodes need %d entries", limit, nodes, nodes*nodes)
}

// Doubt returns what to type if this process runs in a container that is not one of the engine's:
// with a rootful engine behind its socket, nothing of a cluster is reachable from here. It is not
// an error, because the machine's ports may be reachable in ways that cannot be detected. "" if
// there is no doubt. direct says that container addresses can be dialled.
func Doubt(direct bool, info orchestrator.EngineInfo) string {
	if direct || !info.Local || slices.Contains(info.Security, "rootless") || len(OwnCandidates()) == 0 {
		return ""
	}
	return fmt.Sprintf("this runs in a container that the engine at %s does not know: if no node answers, run it with docker run --network host, or name the engine by an address at which its ports are reached, too: DOCKER_HOST=tcp://HOST:2375", info.Endpoint)
}
