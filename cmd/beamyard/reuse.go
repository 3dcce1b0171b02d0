package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file is about --reuse of a cluster that is up: its nodes keep running as they
// were started, so whatever asks for other nodes has no effect on them.

// idle refuses the flags, and the argument, that have no effect on a cluster that is
// reused. A flag that asks for what the cluster has is content.
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
		{"--keep-on-failure", c.KeepFailed && !there.KeepOnFailure && !asked.Suite}, // that of a suite is kept
		{c.What, c.What != "" && !asked.Suite && asked.Source != there.Source},
	} {
		if f.idle {
			return refuse(f.flag)
		}
	}
	return nil
}

// changed are the settings of the file that a cluster which is up does not have. What
// preparing an image settles is not among them.
func changed(asked, there orchestrator.Spec) []string {
	settled := []string{"image", "app", "precompiled", "mix_env", "release", "release_name", "command", "entrypoint", "nodes", "keep_on_failure"}
	return slices.DeleteFunc(there.Diff(asked), func(field string) bool { return slices.Contains(settled, field) })
}
