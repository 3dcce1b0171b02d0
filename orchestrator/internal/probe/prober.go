package probe

import (
	"context"
	"sync/atomic"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

// Prober works for one cluster. Its fields are set once, before the first use; its
// functions may be called from several goroutines.
type Prober struct {
	Spec   orchestrator.Spec // with the image resolved
	Checks Checks            // without Said
	Links  *Links
	Dial   DialFunc
	// Addr returns where a node's distribution can be dialled.
	Addr func(node string) string
	// Post sends a report to the supervisor.
	Post func(supervisor.Message)
	// Note publishes a note about a node.
	Note func(node, format string, args ...any)
	// Saw records that a node saw a peer connect or disconnect. It returns false if the
	// supervisor knows already that a sweep is due.
	Saw func(r supervisor.RunID, e erldist.NodeEvent) (news bool)
	// Said reports whether a line of a run matched.
	Said func(r supervisor.RunID, expr string) bool
	// Adopted reports whether another supervisor started the run.
	Adopted func(r supervisor.RunID) bool
	// AwaitReady returns once the cluster is Ready, when over is closed, or when ctx ends.
	AwaitReady func(ctx context.Context, over <-chan struct{})
	// Ignores publishes that a VM was given these flags twice. Nil: VMs are not asked.
	Ignores func(ctx context.Context, r supervisor.RunID, flags []string)

	booting atomic.Int32 // nodes that are polled, because they are not proven yet
}
