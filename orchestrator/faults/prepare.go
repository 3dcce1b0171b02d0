package faults

import (
	"context"
	"fmt"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/helper"
)

// Prepare makes the image that the first fault on an engine needs. It takes seconds, and after it a
// fault comes into force as soon as any later one.
func (i Injector) Prepare(ctx context.Context) error {
	info, err := i.Engine.Info(ctx)
	if err != nil {
		return err
	}
	_, err = i.helperImage(ctx, info)
	return err
}

// helperImage returns the image of helpers, and makes it if the engine lacks it. An engine of
// several hosts copies it to each that answers, so that a fault begins on all of them at once.
func (i Injector) helperImage(ctx context.Context, info orchestrator.EngineInfo) (string, error) {
	image, err := helper.Image(ctx, i.Engine, info, i.Program)
	if err != nil {
		return "", fmt.Errorf("make the image of the helper: %w", err)
	}
	if several, ok := i.Engine.(interface {
		Provide(ctx context.Context, ref string) error
	}); ok {
		if err := answered(several.Provide(ctx, image)); err != nil {
			return "", fmt.Errorf("copy the image of the helper to the hosts: %w", err)
		}
	}
	return image, nil
}
