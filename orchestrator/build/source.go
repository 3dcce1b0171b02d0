package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file reads what an image provides: its environment, and whether it holds a
// release.

// Detect determines what kind of source the spec's Source is, and returns an error for
// settings that would have no effect on it, including those of nodes. The error is an
// [images.SourceError].
func Detect(s orchestrator.Spec) (images.Source, error) {
	w := wantOf(s)
	w.Image, w.Base, w.ReleaseName = s.Image, s.BaseImage, s.ReleaseName
	src, err := w.Detect()
	if err != nil {
		return src, err
	}
	for _, n := range s.Nodes {
		if !n.HasDockerfile() && n.BaseImage == "" || n.Image != "" { // package validation rejects the second case
			continue
		}
		w := wantAt(s, n)
		w.Image, w.Base, w.ReleaseName = s.Image, n.BaseImage, n.ReleaseName
		if _, err := w.Detect(); err != nil {
			return src, fmt.Errorf("node %s: %w", n.Name, err)
		}
	}
	return src, nil
}

// wantAt returns what a node requires of the source.
func wantAt(s orchestrator.Spec, n orchestrator.NodeSpec) images.Want {
	w := wantOf(s)
	if n.Dockerfile != "" {
		w.Dockerfile, w.Target, w.Args = n.Dockerfile, n.Target, n.Args
		return w
	}
	if n.Target != "" {
		w.Target = n.Target
	}
	if len(n.Args) > 0 {
		w.Args = manifest.Merged(s.Args, n.Args)
	}
	return w
}

func wantOf(s orchestrator.Spec) images.Want {
	return images.Want{
		Source: s.Source, Dockerfile: s.Dockerfile, Target: s.Target, Args: s.Args, OwnCommand: orchestrator.IsCommandOfImage(s.Command) && !s.Release,
	}
}

// Sources returns the folder that a cluster's image was built from, after the kind of
// build is decided.
func Sources(s orchestrator.Spec) (images.Source, error) {
	return wantAt(s, manifest.OwnNode(s)).Detect()
}

// withImages returns the spec with the settings of its images filled in. A missing image
// is not an error here: creating the first container reports it, with a hint.
func withImages(ctx context.Context, s orchestrator.Spec, eng orchestrator.Engine) (orchestrator.Spec, error) {
	var err error
	if s.Image != "" {
		if s.ImageEnv, err = environmentOf(ctx, eng, s.Image); err != nil {
			return s, err
		}
	}
	s.Nodes = slices.Clone(s.Nodes)
	for i := range s.Nodes {
		if n := &s.Nodes[i]; n.Image != "" {
			if n.ImageEnv, err = environmentOf(ctx, eng, n.Image); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

func environmentOf(ctx context.Context, eng orchestrator.Engine, image string) (map[string]string, error) {
	info, err := eng.Image(ctx, image)
	if errors.Is(err, images.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at image %s: %w", image, err)
	}
	var env map[string]string
	for _, kv := range info.Env {
		key, value, _ := strings.Cut(kv, "=")
		if value = strings.TrimSpace(value); value == "" || key != "MIX_ENV" && !slices.Contains(manifest.FlagVariables, key) {
			continue
		}
		if env == nil {
			env = map[string]string{}
		}
		env[key] = value
	}
	return env, nil
}

// tellChoice prints which part of a folder is run, if there is more than one choice.
func tellChoice(progress io.Writer, src images.Source, asked bool) {
	implied := src.Kind == images.Dockerfile && !asked && images.IsMixProject(src.Dir)
	if src.Beside == "" && !implied {
		return
	}
	name := src.Dir
	if full, err := filepath.Abs(src.Dir); err == nil {
		name = filepath.Base(full)
	}
	if implied {
		fmt.Fprintf(progress, "%s has a mix.exs and a Dockerfile: building the Dockerfile, whose own command is to run (command: image)\n", name)
		return
	}
	fmt.Fprintf(progress, "%s has a mix.exs and a %s: running the Mix project (--dockerfile %s builds the other)\n", name, src.Beside, src.Beside)
}

// SyncSource returns the folder that a sync compiles, or an error that says why the
// cluster has none.
func SyncSource(s orchestrator.Spec) (dir string, err error) {
	src, err := Sources(s)
	var runs string
	switch {
	case err == nil && src.Dir != "" && images.IsMixProject(src.Dir):
		return src.Dir, nil
	case err == nil && src.Dir != "":
		return "", orchestrator.WithHint(fmt.Errorf("%s has no mix.exs: sync has Mix compile, and knows no other way", src.Dir),
			"build it again: %s; %s", hint.Down.On(s.Name), hint.Up.With())
	case s.Source != "" && err != nil:
		return "", orchestrator.WithHint(fmt.Errorf("cluster %s was made from %s, which is not on this machine: sync has no sources to compile", s.Name, s.Source),
			"bring the folder back, or run the project from another one: %s; %s", hint.Down.On(s.Name), hint.Up.With("source: PATH"))
	case s.Release:
		runs = "a release in "
	}
	image := cmp.Or(s.Image, s.Source, "an image")
	return "", orchestrator.WithHint(fmt.Errorf("cluster %s runs %s%s, which was not made from a folder on this machine: sync has no sources to compile", s.Name, runs, image),
		"bring in a newer image: %s; %s\nor run the project from its folder, which sync compiles: %s",
		hint.Down.On(s.Name), hint.Up.On(s.Name).With("source: IMAGE"), hint.Up.With("source: PATH"))
}
