package provision

import (
	"context"
	"fmt"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// Provider makes what the containers of one cluster need beside themselves.
type Provider struct {
	Engine orchestrator.Engine
	Spec   orchestrator.Spec // with images
	// Elsewhere are networks of other owners that the spec names, and their IDs.
	Elsewhere map[string]string
	// Retry repeats a call while the engine is unavailable.
	Retry func(ctx context.Context, call func() error) error
}

// Attach connects a container to the additional networks of node i. An engine of version
// 20.10 accepts only one network at creation.
func (p Provider) Attach(ctx context.Context, id string, i int) error {
	for _, a := range manifest.Attachments(p.Spec, i) {
		to := a.Network
		if known := p.Elsewhere[to]; known != "" {
			to = known
		}
		if err := p.Retry(ctx, func() error { return p.Engine.ConnectNetwork(ctx, to, id, a.Aliases) }); err != nil {
			return fmt.Errorf("attach to network %s: %w", a.Network, err)
		}
	}
	return nil
}
