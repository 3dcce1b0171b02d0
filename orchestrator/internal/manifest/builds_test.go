package manifest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/validation"
)

func TestANodesSettingsOverrideTheClusters(t *testing.T) {
	s := roles()
	if err := validation.Check(s); err != nil {
		t.Fatal(err)
	}
	s = s.Defaulted()
	for node, want := range map[string]string{"web": "mill 4001", "worker1": "mill_worker -1", "worker2": "mill 4000"} {
		n, _ := s.NodeOf(node)
		if got := fmt.Sprint(n.App, " ", n.HTTPPort); got != want {
			t.Errorf("%s: %s, want %s", node, got, want)
		}
	}
	if _, there := s.NodeOf("nobody"); there {
		t.Error("an unknown node is accepted")
	}
	for i, want := range map[int]string{0: "PORT=4001", 2: "PORT=4000"} {
		if env := Env(s, i); !slices.Contains(env, want) {
			t.Errorf("%s: no %s in %q", s.Nodes[i].Name, want, env)
		}
	}
	if env := strings.Join(Env(s, 1), "\n"); strings.Contains(env, "PORT=") {
		t.Errorf("worker1 has a port: %s", env)
	}
}

func TestNodesOfTwoImagesOfOneSource(t *testing.T) {
	s := twoImages()
	for i, want := range []string{"sha256:front", "sha256:back", "db:1"} {
		if c := Container(s, i, "net", orchestrator.Placement{}, time.Unix(1, 0)); c.Image != want {
			t.Errorf("%s runs %s", s.Nodes[i].Name, c.Image)
		}
	}
	for node, want := range map[string]bool{"web": false, "worker": false, "db": true} {
		if UsesCustomImage(s, node) != want {
			t.Errorf("%s: runs a custom image: %t", node, !want)
		}
	}
	if CodeKey(s, "web") == CodeKey(s, "worker") {
		t.Error("web and worker run the same")
	}
	if OtherBuild(s, "web") || !OtherBuild(s, "worker") || OtherBuild(s, "db") {
		t.Error("OtherBuild is not true for worker alone")
	}
}

// One image may hold two releases, which two commands start.
func TestTwoReleasesOfOneImageAreNotCompared(t *testing.T) {
	s := orchestrator.Spec{Image: "loom:1", Release: true, Nodes: []orchestrator.NodeSpec{
		{Name: "web", Command: []string{"/app/front/bin/front", "start"}}, {Name: "worker", Command: []string{"/app/back/bin/back", "start"}},
	}}
	if CodeKey(s, "web") == CodeKey(s, "worker") {
		t.Error("they have other modules")
	}
	s.Nodes[1].Command = s.Nodes[0].Command
	if CodeKey(s, "web") != CodeKey(s, "worker") {
		t.Error("they have the same")
	}
}
