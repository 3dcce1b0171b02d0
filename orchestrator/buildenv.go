package orchestrator

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// This file is about what a Mix project's build gets of the spec.

// buildEnv is what the build gets of Env: all that is the same for every node. What
// names a node, and the flags of its VM, would make the compiler another one.
func (s Spec) buildEnv() map[string]string {
	env := map[string]string{}
	for key, value := range s.Env {
		if slices.Contains(ofNodes, key) || s.replaces(value) {
			continue
		}
		env[key] = value
	}
	return env
}

// ofNodes are variables that the VM, Mix or a release's scripts take for themselves.
var ofNodes = []string{
	"ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS", "ELIXIR_ERL_OPTIONS", "ERL_CRASH_DUMP", "ERL_LIBS", "MIX_ENV", "HOME", "PATH", "SHELL",
	"RELEASE_NODE", "RELEASE_COOKIE", "RELEASE_DISTRIBUTION", "RELEASE_TMP", "RELEASE_MODE",
}

// replaces tells whether a value of Env holds a word that is replaced for each node.
func (s Spec) replaces(value string) bool {
	return strings.Contains(value, "{") && len(s.Nodes) > 0 && words(s, 0).Replace(value) != value
}

// noteTo is where notes about an image go: progress that shows notes shows them, any
// other gets a line.
func noteTo(progress io.Writer) func(string) {
	if n, ok := progress.(interface{ Note(text string) }); ok {
		return n.Note
	}
	if progress == nil {
		return nil
	}
	return func(text string) { _, _ = fmt.Fprintln(progress, text) }
}
