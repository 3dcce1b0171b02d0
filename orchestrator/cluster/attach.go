package cluster

import (
	"context"
	"fmt"

	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// attach connects a container that was just created to the additional networks of its
// node. An engine of version 20.10 accepts only one network at creation.
func (c *Cluster) attach(ctx context.Context, s *site, id string, i int) error {
	for _, a := range manifest.Attachments(s.spec, i) {
		to := a.Network
		if known := s.elsewhere[to]; known != "" {
			to = known
		}
		if err := c.retryUnavailable(ctx, func() error { return c.eng.ConnectNetwork(ctx, to, id, a.Aliases) }); err != nil {
			return fmt.Errorf("attach to network %s: %w", a.Network, err)
		}
	}
	return nil
}
