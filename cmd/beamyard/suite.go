package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/build"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/evidence"
	"github.com/beamyard/beamyard/orchestrator/faults"
	"github.com/beamyard/beamyard/orchestrator/suite"
)

type testCmd struct {
	oneShot `set:"nodes=2"`
	Path    string `arg:"" optional:"" complete:"files" help:"A Mix project (default: this folder)."`
}

func (testCmd) Help() string {
	return `Starts a cluster NAME-test whose nodes run the application, built with MIX_ENV=test.
Then mix test runs once, in a VM that is connected to all of them from the start:
Node.list() in a test returns the nodes. Arguments after -- are passed to mix test;
its output is shown and its exit code returned. Tests find the nodes in BEAMYARD_NODES (n1,n2),
BEAMYARD_NODE_NAMES and BEAMYARD_URLS. Tag tests that need them, and
exclude these with ExUnit.start(exclude: …) when Node.alive?() is false.

Tests can break the cluster: the suite's VM has the module Beamyard, and the project
needs no dependency. Beamyard.partition([["n1"]]), Beamyard.crash("n2") and others
are undone when their test ends. With use Beamyard.Case, a test that fails prints
the state of the nodes.

With --reuse the nodes keep running, as they were started, and flags that ask for
others are refused; the suite is built each time. A suite that starts its own peers by name needs distribution: {epmd: true} in
beamyard.yml. With --keep-on-failure a suite that fails leaves everything running.
With warm: 1 in beamyard.yml, or BEAMYARD_WARM=1, the next cluster is prepared in
advance, and test starts sooner.

With matrix: in beamyard.yml, the suite runs once for each combination, as run does:
see beamyard run --help.

Examples:
  beamyard test
  beamyard test ./shop -n 3 -- --only cluster --seed 0
  beamyard test --reuse -- test/mesh_test.exs:12`
}

// suiteNodes is the number of nodes of a suite without a given number.
const suiteNodes = 2

// Run runs a test suite with a cluster.
func (c *testCmd) Run(ctx context.Context, a *app) error {
	c.What = c.Path
	return c.each(ctx, a, suiteNodes, "-test", []string{"mix_env", "release", "release_name"}, func(ctx context.Context, spec orchestrator.Spec) error {
		return c.test(ctx, a, spec)
	})
}

// test runs the suite once.
func (c *testCmd) test(ctx context.Context, a *app, spec orchestrator.Spec) error {
	if err := hasMix(spec); err != nil {
		return err
	}
	ofImage := len(spec.Command) == 1 && spec.Command[0] == orchestrator.CommandOfImage && spec.Dockerfile == ""
	if spec.Release || ofImage { // commands that start a release or the image have no use here
		spec.Release, spec.ReleaseName, spec.Command, spec.Entrypoint = false, "", nil, nil
		for i := range spec.Nodes {
			spec.Nodes[i].Command, spec.Nodes[i].Entrypoint, spec.Nodes[i].ReleaseName = nil, nil, ""
		}
	}
	for _, kv := range c.Env {
		if key, value, _ := strings.Cut(kv, "="); key == "MIX_ENV" && spec.Env[key] != "test" {
			return usagef("leave it out", "--env %s: a suite runs with MIX_ENV=test", strings.TrimSuffix(key+"="+value, "="))
		}
	}
	spec.MixEnv, spec.Suite = "test", true
	for i := range spec.Nodes { // the suite and its nodes share one image
		n := &spec.Nodes[i]
		n.MixEnv, n.Dockerfile, n.Target, n.Args = "", "", "", nil
	}
	delete(spec.Env, "MIX_ENV") // it applies to up
	c.accept = func(made orchestrator.Spec) error {
		if !made.Release {
			return nil
		}
		return orchestrator.WithHint(fmt.Errorf("%s holds a release, which has neither Mix nor tests", made.Image),
			"leave the Dockerfile out, so that the Mix project is built: beamyard test %s", spec.Source)
	}
	return c.with(ctx, a, spec, func(ctx context.Context, s *ephemeral) error {
		prepared := s.spec // whose image holds the project as it is now
		if s.reused {
			var err error
			if prepared, err = build.Prepare(ctx, s.eng, spec, s.progress); err != nil {
				s.progress.buildFailed(err)
				return cluster.Diagnose(err, spec)
			}
		}
		server := s.suiteServer()
		s.wanted = server.Crashed
		code, err := discovery.RunSuite(ctx, s.eng, s.found, discovery.Suite{
			Image: prepared.Image, Args: a.rest, Colors: a.out.colors, Keep: c.KeepFailed, Beamyard: server, Output: a.pass,
		})
		if err == nil && code != 0 {
			err = &exited{code: code}
		}
		if c.Reuse { // the nodes stay, and with them what its tests could not undo
			undoing, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
			defer cancel()
			err = errors.Join(err, server.Undo(undoing))
		}
		return err
	})
}

// suiteServer returns what answers the tests that break the cluster.
func (s *ephemeral) suiteServer() *suite.Server {
	return &suite.Server{
		Spec: s.found.Spec, Cluster: s.cluster, Faults: faults.Injector{Engine: s.eng, Spec: s.found.Spec},
		Evidence: func(ctx context.Context, cause error) (string, error) {
			b := collect(ctx, evidence.Source{Spec: s.found.Spec, Cause: cause, Cluster: s.cluster, Engine: s.eng})
			path, err := b.Leave(cmp.Or(s.evidence.dir, filepath.Join(os.TempDir(), "beamyard-evidence")))
			return path, errors.Join(err, b.Close())
		},
	}
}

// pass prints a program's line on the stream on which the program printed it.
func (a *app) pass(l orchestrator.Line) error {
	to := a.err
	if l.Stream == orchestrator.Stdout {
		to = a.out
	}
	_, err := fmt.Fprintln(to, l.Text)
	return err
}

// hasMix checks that there is a Mix project. Mix itself is asked whether the project has tests,
// once there is an engine: see [orchestrator.Spec.Suite].
func hasMix(spec orchestrator.Spec) error {
	if spec.Image != "" || !images.IsMixProject(spec.Source) {
		return usagef("beamyard test PATH", "a suite needs a Mix project, and %s is not one", whatOf(spec))
	}
	return nil
}

// whatOf names what a spec runs.
func whatOf(spec orchestrator.Spec) string {
	if spec.Image != "" {
		return spec.Image
	}
	return spec.Source
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
