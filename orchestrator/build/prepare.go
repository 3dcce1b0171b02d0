package build

import (
	"context"
	"fmt"
	"io"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// Prepare resolves what the spec's nodes run. It turns Source into an existing Image,
// reads App from the project if the spec does not set it, finds the command that starts a
// release, and pulls missing images of single nodes. progress receives the lines of a
// build.
func Prepare(ctx context.Context, eng orchestrator.Engine, s orchestrator.Spec, progress io.Writer) (orchestrator.Spec, error) {
	if progress == nil {
		progress = io.Discard
	}
	made, app, written := s.Image == "" && s.Source != "", "", s
	if made {
		var err error
		if s, app, err = buildImages(ctx, s, eng, progress); err != nil {
			return s, err
		}
	}
	if !made {
		if err := bootable(s, s.ImageBoot); err != nil {
			return s, err
		}
	}
	for _, n := range s.Nodes {
		if n.Image == "" || n.Built && made {
			continue
		}
		if _, err := images.Resolve(ctx, eng, images.Source{Kind: images.Reference, Ref: n.Image}, images.Options{Progress: progress}); err != nil {
			return s, fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	s, err := withImages(ctx, s, eng)
	if err != nil {
		return s, err
	}
	if s.Proxies == nil {
		s.Proxies = eng.Proxies()
	}
	if s, err = ownReleases(ctx, s, eng, written, app, progress); err != nil {
		return s, err
	}
	if made && s.Precompiled {
		return releaseOfProject(s), nil
	}
	if s, err = recognised(ctx, s, eng, app, progress); err != nil {
		return s, err
	}
	return releaseOfImage(ctx, s, eng)
}
