package main

import (
	"context"

	"github.com/beamyard/beamyard/orchestrator/doctor"
)

// probeCmd is what `doctor` runs in its helper container.
type probeCmd struct{}

// Run tells what this program sees, and answers who dials it.
func (probeCmd) Run(ctx context.Context, a *app) error { return doctor.Probe(ctx, a.out) }
