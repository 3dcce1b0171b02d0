package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/build"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// Prepare makes the images that the nodes of a cluster are to run next, and returns its spec with
// them. s is the spec as its nodes run now ([discovery.Find], [cluster.Cluster.Spec]). source is
// the folder or the image to make them of; "" makes them again of what the cluster was made of.
// All other settings of the cluster stay, App among them: the application must be the same. A node
// with an image of its own that is not made of the cluster's source keeps it. progress receives the
// lines of a build.
func Prepare(ctx context.Context, eng orchestrator.Engine, s orchestrator.Spec, source string, progress io.Writer) (orchestrator.Spec, error) {
	containers, err := eng.Containers(ctx, map[string]string{orchestrator.LabelCluster: s.Name})
	if err != nil {
		return s, fmt.Errorf("list containers: %w", err)
	}
	// After an upgrade that stopped, nodes differ: what they ran before is what was declared.
	if r, found := RecordOf(containers); found && !r.complete(manifest.BuildsOf(containers)) {
		s = manifest.WithBuilds(s, r.From)
	}
	own, err := eng.Image(ctx, s.Image)
	if err != nil && !errors.Is(err, images.ErrNotFound) {
		return s, fmt.Errorf("look at image %s: %w", s.Image, err)
	}
	if source == "" && s.Source == "" {
		source = s.Image
	}
	if source == "" {
		source = s.Source
	}
	kind, err := images.Detect(source)
	if err != nil {
		return s, err
	}
	return build.Prepare(ctx, eng, declared(s, own, source, kind.Kind == images.Reference), progress)
}

// declared returns the spec without what [build.Prepare] filled in, as far as that can be told
// from what a user wrote. own is the image that it filled in. reference says that nothing is built
// of the new source.
func declared(s orchestrator.Spec, own images.Info, source string, reference bool) orchestrator.Spec {
	if source != s.Source {
		s.Source, s.File = source, ""
	}
	if reference {
		s.Dockerfile, s.Target, s.Args, s.BaseImage, s.Packages = "", "", nil, "", orchestrator.Packages{}
		if s.Precompiled { // Mix settings say nothing of an image
			s.Release, s.ReleaseName, s.MixEnv = false, "", ""
		}
	}
	switch {
	case len(s.Command) > 0 && s.Command[0] == images.ReleaseScript:
		s.Command = nil
	case s.Release && slices.Equal(s.Entrypoint, own.Entrypoint) && slices.Equal(s.Command, own.Cmd):
		s.Entrypoint, s.Command = nil, nil
	}
	s.Image, s.ImageEnv, s.Precompiled, s.ImageBoot = "", nil, false, ""
	s.Nodes = slices.Clone(s.Nodes)
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if reference {
			n.BaseImage = ""
		}
		if !n.Built {
			continue
		}
		if n.Release != nil { // then its command was filled in, too
			n.Release, n.Command, n.Entrypoint = nil, nil, nil
		}
		n.Image, n.ImageEnv, n.Built, n.Precompiled, n.ImageBoot = "", nil, false, false, ""
	}
	return s
}

// builds returns what the nodes of a prepared spec are to run, with the IDs of the images. Nodes
// with an image of their own are left out.
func builds(ctx context.Context, eng orchestrator.Engine, s orchestrator.Spec) (map[string]manifest.Build, error) {
	to := map[string]manifest.Build{}
	for i, n := range s.Nodes {
		if manifest.UsesCustomImage(s, n.Name) {
			continue
		}
		b := manifest.BuildOf(s, i)
		info, err := eng.Image(ctx, b.Image())
		if err != nil {
			return nil, fmt.Errorf("look at image %s: %w", b.Image(), err)
		}
		b.ID = info.ID
		to[n.Name] = b
	}
	return to, nil
}

// running returns what the nodes of a cluster run now, with the IDs of the images of their
// containers, and their host ports.
func running(ctx context.Context, eng orchestrator.Engine, s orchestrator.Spec) (now map[string]manifest.Build, ports map[string][]orchestrator.PortBinding, r Record, found bool, err error) {
	listed, err := eng.Containers(ctx, map[string]string{orchestrator.LabelCluster: s.Name})
	if err != nil {
		return nil, nil, r, false, fmt.Errorf("list containers: %w", err)
	}
	now, ports = manifest.BuildsOf(listed), map[string][]orchestrator.PortBinding{}
	r, found = RecordOf(listed)
	for _, l := range listed {
		i := s.Index(l.Labels[orchestrator.LabelNode])
		if i < 0 {
			continue
		}
		node := s.Nodes[i].Name
		c, err := eng.InspectContainer(ctx, l.ID)
		if err != nil {
			return nil, nil, r, false, fmt.Errorf("inspect %s: %w", l.Name, err)
		}
		ports[node] = c.Ports
		b, labelled := now[node]
		if before, recorded := r.From[node]; !labelled && recorded {
			b = before
		} else if !labelled {
			b = manifest.BuildOf(s, i)
		}
		if b.ID == "" {
			b.ID = c.Image
			if info, err := eng.Image(ctx, c.Image); err == nil {
				b.ID = info.ID
			}
		}
		now[node] = b
	}
	return now, ports, r, found, nil
}

// available returns the builds with images that the engine has: by their IDs where a reference
// names another image since.
func available(ctx context.Context, eng orchestrator.Engine, to map[string]manifest.Build) (map[string]manifest.Build, error) {
	all := map[string]manifest.Build{}
	for node, b := range to {
		info, err := eng.Image(ctx, b.Image())
		if (err != nil || info.ID != b.ID) && b.ID != "" {
			if _, err = eng.Image(ctx, b.ID); err == nil {
				b = b.ByID()
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: the image to run, %s, is not there any more: no node was changed: %w", node, b.Image(), err)
		}
		all[node] = b
	}
	return all, nil
}
