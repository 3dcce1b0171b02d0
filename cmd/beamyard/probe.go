package main

import (
	"context"

	"github.com/beamyard/beamyard/orchestrator/doctor"
)

// probeCmd is the command that `doctor` runs in its helper container.
type probeCmd struct{}

// Run prints what this program sees in its container, and answers connections.
func (probeCmd) Run(ctx context.Context, a *app) error { return doctor.Probe(ctx, a.out) }
