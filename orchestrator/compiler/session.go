package compiler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/build"
	"github.com/beamyard/beamyard/orchestrator/codesync"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// EndTime is how long a cancelled sync may take to end: it asks the compiler, which may
// be frozen, to accept other syncs.
const EndTime = 10 * time.Second

// Name returns the name of this process as the compiler's VM sees it, or "" without a
// connection.
func (c Conn) Name() string {
	if c.Conn == nil {
		return ""
	}
	return c.Self()
}

// Syncable returns the nodes that a sync applies to, of the named ones or of all, and
// reports the nodes that it skips. Before anything is changed, it returns an error if a
// node would keep running the old code.
//
// A release may have modules that another one lacks, and an application that is missing
// from a release must not be loaded there. So nodes with another build of the sources
// than the compiler's do not get its code: a sync of all nodes returns an error that says
// which nodes to name.
func Syncable(s orchestrator.Spec, nodes []orchestrator.NodeStatus, named []string) (ours []orchestrator.NodeStatus, others []codesync.NodeReport, err error) {
	var paused, names, apart []string
	for _, n := range nodes {
		switch {
		case len(named) > 0 && !slices.Contains(named, n.Name):
			continue
		case len(named) > 0 && manifest.UsesCustomImage(s, n.Name):
			return nil, nil, orchestrator.WithHint(fmt.Errorf("%s runs an image of its own, which is not made of the cluster's sources: no node was changed", n.Name),
				"name the others alone, or give none: %s", hint.Sync.On(s.Name))
		case manifest.OtherBuild(s, n.Name):
			apart = append(apart, n.Name)
			continue
		case manifest.UsesCustomImage(s, n.Name):
			others = append(others, codesync.NodeReport{Name: n.Name, State: codesync.OwnImage})
			continue
		case n.Paused:
			paused, names = append(paused, n.Name+" is paused"), append(names, n.Name)
		}
		ours = append(ours, n)
	}
	if len(apart) > 0 {
		return nil, nil, errApart(s, apart)
	}
	if len(paused) > 0 {
		return nil, nil, orchestrator.WithHint(fmt.Errorf("%s: no node was changed", strings.Join(paused, ", ")), "%s", hint.Unpause.On(s.Name, names...))
	}
	return ours, others, nil
}

// errApart returns the error for nodes that run another build of the sources than the
// compiler's.
func errApart(s orchestrator.Spec, nodes []string) error {
	var builds, ours []string
	for _, name := range nodes {
		if text := name + " (" + build.Describe(s, name) + ")"; !slices.Contains(builds, text) {
			builds = append(builds, text)
		}
	}
	for _, n := range s.Nodes {
		if !manifest.UsesCustomImage(s, n.Name) && !manifest.OtherBuild(s, n.Name) {
			ours = append(ours, n.Name)
		}
	}
	verb := "runs"
	if len(nodes) > 1 {
		verb = "run"
	}
	return orchestrator.WithHint(fmt.Errorf("%s %s another build of the project than sync compiles, which is that of %s (%s): no node was changed",
		strings.Join(builds, ", "), verb, strings.Join(ours, ", "), build.Describe(s, ours[0])),
		"sync the nodes of one build: %s\nor build all of them again: %s; %s", hint.Sync.On(s.Name, ours...), hint.Down.On(s.Name), hint.Up.With())
}

// CoversAll reports whether these are all the nodes that a sync can apply to.
func CoversAll(s orchestrator.Spec, nodes []orchestrator.NodeStatus) bool {
	return !slices.ContainsFunc(s.Nodes, func(n orchestrator.NodeSpec) bool {
		return !manifest.UsesCustomImage(s, n.Name) && !manifest.OtherBuild(s, n.Name) && !slices.ContainsFunc(nodes, func(o orchestrator.NodeStatus) bool { return o.Name == n.Name })
	})
}

// WriteTo returns a function that writes an archive into a container; nil without one.
func WriteTo(eng orchestrator.Engine, id string) func(context.Context, io.Reader) error {
	if id == "" {
		return nil
	}
	return func(ctx context.Context, archive io.Reader) error { return eng.WriteFiles(ctx, id, archive) }
}

// Unwell returns the failed checks of a node in a report. Code that differs from that of
// the nodes synced later does not count.
func Unwell(r health.Report, node string) error {
	var errs []error
	for _, k := range r.Checks {
		if k.Node == node && k.State == health.Failed && k.Group != health.Code && k.Group != health.Performance {
			errs = append(errs, fmt.Errorf("%s: %s", k.Name, k.Means))
		}
	}
	return errors.Join(errs...)
}

// Advise adds a hint to errors of Mix that another image solves: dependencies have
// changed, which a compiler container does not fetch, or the image of a Dockerfile lacks
// git, by which Mix checks git dependencies.
func Advise(err error, cluster string) error {
	if err == nil {
		return nil
	}
	text := err.Error() // Mix's and Elixir's
	switch {
	case strings.Contains(text, "Unchecked dependencies"):
		return orchestrator.WithHint(err, "dependencies come with the image: %s; %s", hint.Down.On(cluster), hint.Up.With())
	case strings.Contains(text, ":enoent") && strings.Contains(text, "Mix.SCM.Git."):
		return orchestrator.WithHint(err, "Mix checks git dependencies by git, which the image lacks: install git in the last stage of the Dockerfile, then: %s; %s", hint.Down.On(cluster), hint.Up.With())
	}
	return err
}

// OpenSession opens a sync session with a compiler. The error says what to do if the
// image has no Mix project.
func OpenSession(ctx context.Context, conn Conn, s orchestrator.Spec) (*codesync.Session, error) {
	src, err := build.Sources(s)
	if err != nil {
		return nil, err
	}
	session, err := codesync.Open(ctx, conn, conn.Name(), src.Dir)
	if errors.Is(err, codesync.ErrNoProject) {
		return nil, noProject(s)
	}
	if err == nil && src.Kind == images.Dockerfile {
		session.OfDockerfile()
	}
	return session, err
}

// Renew restarts the compiler's VM.
func Renew(ctx context.Context, eng orchestrator.Engine, f Site, info orchestrator.EngineInfo, old Conn) (Conn, error) {
	_ = old.Close()
	if err := eng.StopContainer(ctx, old.id, 0); err != nil {
		return Conn{}, fmt.Errorf("restart the compiler: %w", err)
	}
	return Dial(ctx, eng, f, info)
}

// Forget removes the compiler of a cluster with what it compiled. Containers that are created from
// then on have only the code of their images. It reports whether there was one.
func Forget(ctx context.Context, eng orchestrator.Engine, cluster string) (bool, error) {
	listed, err := eng.Containers(ctx, map[string]string{orchestrator.LabelCluster: cluster, orchestrator.LabelHelper: helperCompiler})
	if err != nil {
		return false, fmt.Errorf("list containers: %w", err)
	}
	for _, c := range listed {
		if err := eng.RemoveContainer(ctx, c.ID); err != nil {
			return true, fmt.Errorf("remove the compiler: %w", err)
		}
	}
	return len(listed) > 0, nil
}
