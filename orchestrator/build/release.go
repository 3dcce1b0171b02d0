package build

import (
	"context"
	"errors"
	"fmt"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// releaseOfProject returns the spec with the command of a release that was assembled in
// the image of its project.
func releaseOfProject(s orchestrator.Spec) orchestrator.Spec {
	if s.Release && (len(s.Command) == 0 || orchestrator.IsCommandOfImage(s.Command)) {
		s.Command = []string{images.ReleaseScript, "start"}
	}
	return s
}

// releaseOfImage returns the spec with the command of its image. It must be known by
// then, because the entrypoint is replaced: see [manifest.Entrypoint].
func releaseOfImage(ctx context.Context, s orchestrator.Spec, eng orchestrator.Engine) (orchestrator.Spec, error) {
	if !s.Release {
		return s, nil
	}
	info, err := eng.Image(ctx, s.Image)
	if errors.Is(err, images.ErrNotFound) {
		return s, nil // the first container reports it, with a hint
	}
	if err != nil {
		return s, fmt.Errorf("look at image %s: %w", s.Image, err)
	}
	if len(s.Entrypoint) == 0 {
		s.Entrypoint = info.Entrypoint
	}
	if len(s.Command) == 0 || orchestrator.IsCommandOfImage(s.Command) {
		s.Command = info.Cmd
	}
	if len(s.Entrypoint)+len(s.Command) == 0 {
		return s, orchestrator.WithHint(fmt.Errorf("image %s does not say how its release is started: it has neither an ENTRYPOINT nor a CMD", s.Image),
			"say it: %s", hint.Setting("command: [/app/bin/NAME, start]"))
	}
	return s, nil
}
