package reach

import (
	"context"

	"github.com/beamyard/beamyard/network/erldist"
)

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
