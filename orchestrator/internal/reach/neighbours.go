package reach

import (
	"context"
	"fmt"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
)

// MeetNeighbours enlarges the kernel's neighbour table if the mesh of n nodes is larger than it, as
// the engine does for its overlay networks. It returns what to report: that it did, or what to type
// if this process may not.
func MeetNeighbours(n int, info orchestrator.EngineInfo) string {
	limit, known := network.NeighbourLimit()
	if !info.Local || !known || n*n <= limit*3/4 {
		return ""
	}
	if err := network.RaiseNeighbourLimit(); err != nil {
		return fmt.Sprintf("%d nodes need %d entries of the kernel's neighbour table, which has %d: connections will time out (%v); %s",
			n, n*n, limit, err, network.NeighbourCommand)
	}
	return fmt.Sprintf("raised the limit of the kernel's neighbour table from %d: %d nodes need %d entries", limit, n, n*n)
}

// Registered returns the nodes registered with an EPMD, and their ports; nil if it does not answer.
func Registered(ctx context.Context, addr string) map[string]int {
	names, err := erldist.Names(ctx, addr)
	if err != nil {
		return nil // unknown
	}
	ports := map[string]int{}
	for _, n := range names {
		ports[n.Alive] = n.Port
	}
	return ports
}
