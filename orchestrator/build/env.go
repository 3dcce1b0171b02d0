package build

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file selects the settings that a Mix project's build takes from the spec.

// buildEnv returns the variables of Env for the build: those with the same value on every
// node. It excludes node names and VM flags, which would change the compiler's own VM.
func buildEnv(s orchestrator.Spec) map[string]string {
	env := map[string]string{}
	for key, value := range s.Env {
		if slices.Contains(ofNodes, key) || hasPlaceholder(s, value) {
			continue
		}
		env[key] = value
	}
	return env
}

// ofNodes are variables that configure the VM, Mix or a release's scripts.
var ofNodes = []string{
	"ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS", "ELIXIR_ERL_OPTIONS", "ERL_CRASH_DUMP", "ERL_LIBS", "MIX_ENV", "HOME", "PATH", "SHELL",
	"RELEASE_NODE", "RELEASE_COOKIE", "RELEASE_DISTRIBUTION", "RELEASE_TMP", "RELEASE_MODE",
}

// hasPlaceholder reports whether a value of Env contains a placeholder, which differs for each
// node.
func hasPlaceholder(s orchestrator.Spec, value string) bool {
	return strings.Contains(value, "{") && len(s.Nodes) > 0 && manifest.Words(s, 0).Replace(value) != value
}

// noteTo returns where notes about an image go: to progress as notes if it supports them,
// else as a line.
func noteTo(progress io.Writer) func(string) {
	if n, ok := progress.(interface{ Note(text string) }); ok {
		return n.Note
	}
	if progress == nil {
		return nil
	}
	return func(text string) { _, _ = fmt.Fprintln(progress, text) }
}
