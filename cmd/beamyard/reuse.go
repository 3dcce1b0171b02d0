package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/validation"
)

// This file handles --reuse of a cluster that is up: its nodes keep running as they were
// started, so flags and settings that ask for other nodes have no effect on them.

// idle returns an error for flags, or an argument, that have no effect on a reused cluster. A
// flag that asks for what the cluster already has is accepted.
func (c *oneShot) idle(asked, there orchestrator.Spec) error {
	refuse := func(flag string) error {
		return usagef(fmt.Sprintf("leave it out\nor start the cluster again with it: beamyard down %s\nor choose another name: --name NAME", there.Name),
			"%s would have no effect: %s is up without it, and --reuse leaves its nodes as they are", flag, there.Name)
	}
	for _, kv := range c.Env {
		key, _, _ := strings.Cut(kv, "=")
		want, have := asked.Env[key], there.Env[key]
		_, set := there.Env[key]
		if key == "MIX_ENV" {
			want, have, set = asked.MixEnv, there.MixEnv, true
		}
		if want != have || !set {
			return refuse("--env " + key)
		}
	}
	filled := there.Defaulted()
	for _, f := range []struct {
		flag string
		idle bool
	}{
		{"--base " + c.Base, c.Base != "" && asked.BaseImage != there.BaseImage},
		{"--dockerfile " + string(c.Dockerfile), c.Dockerfile != "" && asked.Dockerfile != there.Dockerfile},
		{fmt.Sprintf("--wait-timeout %s", c.WaitTimeout), c.WaitTimeout != 0 && asked.ReadyTimeout != filled.ReadyTimeout},
		{"--keep-dumps " + c.KeepDumps, c.KeepDumps != "" && asked.KeepDumps != there.KeepDumps},
		{"--keep-on-failure", c.KeepFailed && !there.KeepOnFailure && !asked.Suite}, // a suite's cluster is kept
		{c.What, c.What != "" && !asked.Suite && asked.Source != there.Source},
	} {
		if f.idle {
			return refuse(f.flag)
		}
	}
	return nil
}

// changed lists the settings of the file that differ from those of the running cluster.
// Settings that preparing an image decides are not among them.
func changed(asked, there orchestrator.Spec) []string {
	settled := []string{"image", "app", "precompiled", "mix_env", "release", "release_name", "command", "entrypoint", "nodes", "keep_on_failure"}
	return slices.DeleteFunc(validation.Diff(there, asked), func(field string) bool { return slices.Contains(settled, field) })
}
