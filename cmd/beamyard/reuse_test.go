package main

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// With --reuse, a running cluster is not changed: flags that would need another cluster
// are refused, and flags that match it are accepted.
func TestFlagsOfAReusedCluster(t *testing.T) {
	there := orchestrator.Spec{
		Name: "shop", Source: "/src/shop", Nodes: orchestrator.NodeNames(2), Env: map[string]string{"ROLE": "web", "EMPTY": ""},
		BaseImage: "bookworm", ReadyTimeout: time.Minute, KeepDumps: "/dumps", Dockerfile: "Dockerfile.dev",
	}
	tests := []struct {
		name  string
		flags upFlags
		suite bool
		want  string // "": accepted
	}{
		{"none", upFlags{}, false, ""},
		{"an environment that it has", upFlags{Env: []string{"ROLE=web", "EMPTY="}}, false, ""},
		{"another value", upFlags{Env: []string{"ROLE=db"}}, false, "--env ROLE"},
		{"a variable that is not set", upFlags{Env: []string{"NEW="}}, true, "--env NEW"},
		{"its base", upFlags{Base: "bookworm"}, false, ""},
		{"another base", upFlags{Base: "trixie"}, true, "--base trixie"},
		{"another Dockerfile", upFlags{Dockerfile: "Dockerfile"}, true, "--dockerfile Dockerfile"},
		{"its patience", upFlags{WaitTimeout: time.Minute}, false, ""},
		{"another patience", upFlags{WaitTimeout: 2 * time.Minute}, false, "--wait-timeout 2m0s"},
		{"other dumps", upFlags{KeepDumps: "/elsewhere"}, false, "--keep-dumps /elsewhere"},
		{"keep nodes, which are kept", upFlags{KeepFailed: true}, false, "--keep-on-failure"},
		{"keep the suite's container", upFlags{KeepFailed: true}, true, ""},
		{"its folder", upFlags{What: "/src/shop"}, false, ""},
		{"the folder of a suite", upFlags{What: "/src/other"}, true, ""},
		{"another folder", upFlags{What: "/src/other"}, false, "/src/other"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := oneShot{upFlags: tt.flags, Reuse: true}
			asked := there
			asked.Env, asked.Suite = map[string]string{}, tt.suite
			if tt.flags.What != "" {
				asked.Source = tt.flags.What
			}
			asked, err := c.over(asked, 2)
			if err != nil {
				t.Fatal(err)
			}
			err = c.idle(asked, there)
			var usage *usageError
			switch {
			case tt.want == "" && err == nil:
			case tt.want == "", !errors.As(err, &usage), usage.text != tt.want+" would have no effect: shop is up without it, and --reuse leaves its nodes as they are":
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}

	other := there
	other.Env, other.Memory, other.Image, other.Suite = nil, 1<<20, "shop:2", true
	if got := changed(other, there); !slices.Equal(got, []string{"env", "memory"}) {
		t.Errorf("changed are %q", got)
	}
}
