package main

import (
	"testing"

	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// The flags that one of two nodes lacks are named, in both directions.
func TestFlagDifferences(t *testing.T) {
	all := map[string]discovery.Versions{
		"n1": {OTP: "25", ERTS: "13.1.5", Elixir: "1.14.0", Flags: 1<<25 | 1<<6},
		"n2": {OTP: "27", ERTS: "15.2.3", Flags: 1<<25 | 1<<37},
		"n3": {OTP: "25", Flags: 1<<25 | 1<<6},
	}
	for node, want := range map[string]string{
		"n1": "OTP 25 (ERTS 13.1.5), Elixir 1.14.0: lacks ALTACT_SIG, which n2 has; has HIDDEN_ATOM_CACHE, which n2 lacks",
		"n2": "OTP 27 (ERTS 15.2.3): lacks HIDDEN_ATOM_CACHE, which n1 has; has ALTACT_SIG, which n1 lacks\nlacks HIDDEN_ATOM_CACHE, which n3 has; has ALTACT_SIG, which n3 lacks",
	} {
		v := nodeVersions{Versions: all[node], Differ: flagDifferences(all, node)}
		if got := v.runs() + ": " + v.differs(); got != want {
			t.Errorf("%s: %s; want %s", node, got, want)
		}
	}
	delete(all, "n2")
	if got := (nodeVersions{Differ: flagDifferences(all, "n1")}).differs(); got != "as those of the other nodes that answer" {
		t.Errorf("n1: %s", got)
	}
}
