package provision

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

const (
	// verdict is how long it may take until one of two clusters of a name has given way.
	verdict = 30 * time.Second
	look    = 50 * time.Millisecond
)

// Winner returns the network that is the cluster's of that name, or "" if there is none. id is the
// network that this process has just created.
//
// An engine can give one name to several networks that are created at the same time. The oldest is
// the cluster's. But an engine can list a network later than a younger one: a process then saw only
// its own, and goes on. So the owner of the oldest waits until the others are gone, or gives way to
// one that has containers already. An owner that does neither in time has probably been killed.
func Winner(ctx context.Context, eng orchestrator.Engine, name, id string) (string, error) {
	ofCluster := map[string]string{orchestrator.LabelCluster: name}
	for begin := time.Now(); ; {
		networks, err := eng.Networks(ctx, ofCluster)
		if err != nil {
			return "", fmt.Errorf("list networks: %w", err)
		}
		own := orchestrator.NetworksOf(networks, name)
		switch {
		case len(own) == 0:
			return "", nil
		case own[0].ID != id || len(own) == 1:
			return own[0].ID, nil
		}
		containers, err := eng.Containers(ctx, ofCluster)
		if err != nil {
			return "", fmt.Errorf("list containers: %w", err)
		}
		for _, rival := range own[1:] {
			created := rival.Labels[orchestrator.LabelCreated]
			if slices.ContainsFunc(containers, func(c orchestrator.Container) bool { return c.Labels[orchestrator.LabelCreated] == created }) {
				return rival.ID, nil
			}
		}
		if time.Since(begin) >= verdict {
			return own[1].ID, nil
		}
		if !wait.Sleep(ctx, look) {
			return "", ctx.Err()
		}
	}
}
