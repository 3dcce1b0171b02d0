package faults

import (
	"context"
	"fmt"

	"github.com/beamyard/beamyard/orchestrator/internal/helper"
)

// Prepare makes the image that the first fault on an engine needs. It takes seconds, and after it a
// fault comes into force as soon as any later one.
func (i Injector) Prepare(ctx context.Context) error {
	info, err := i.Engine.Info(ctx)
	if err != nil {
		return err
	}
	if _, err := helper.Image(ctx, i.Engine, info, i.Program); err != nil {
		return fmt.Errorf("make the image of the helper: %w", err)
	}
	return nil
}
