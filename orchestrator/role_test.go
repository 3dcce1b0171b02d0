package orchestrator

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/images"
)

// roles is a cluster of a web node and two workers.
func roles() Spec {
	return Spec{
		Name: "mill", Image: "mill:1", App: "mill", HTTPCheck: "/health", Cookie: "crumb",
		Checks: []Check{{Name: "db", RPC: "1"}, {HTTP: "/live"}, {Name: "queue", RPC: "2", Nodes: []string{"worker"}}},
		Nodes: []NodeSpec{
			{Name: "web", HTTPPort: 4001, HTTPCheck: "/up", Checks: []Check{{Name: "db", RPC: "3"}}},
			{Name: "worker1", Role: "worker", App: "mill_worker", HTTPPort: -1},
			{Name: "worker2", Role: "worker", HTTPCheck: "-"},
		},
	}
}

func TestRolesThatCannotBe(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Spec)
		want   string
	}{
		"a node that is called as a role": {func(s *Spec) { s.Nodes[0].Name, s.Nodes = "worker", s.Nodes[:2] }, `nodes[1].role: "worker" is also the name of a node`},
		"no port":                         {func(s *Spec) { s.Nodes[0].HTTPPort = 70000 }, "nodes[0].http_port: 70000 is not a TCP port"},
		"the distribution's port":         {func(s *Spec) { s.Nodes[0].HTTPPort = 9100 }, "nodes[0].http_port: 9100 is distribution.port too"},
		"no path":                         {func(s *Spec) { s.Nodes[0].HTTPCheck = "up" }, `nodes[0].http_check: "up" is not a path`},
		"a check without a port":          {func(s *Spec) { s.Nodes[1].HTTPCheck = "/up" }, "nodes[1].http_check: the node has no HTTP port"},
		"a check by HTTP without a port":  {func(s *Spec) { s.Nodes[1].Checks = []Check{{HTTP: "/up"}} }, "nodes[1].checks[0].http: no node that it is asked of has an HTTP port"},
		"a check of other nodes":          {func(s *Spec) { s.Nodes[1].Checks = []Check{{RPC: "1", Nodes: []string{"web"}}} }, "nodes[1].checks[0].nodes: the check stands at a node already"},
		"a line that is repeated":         {func(s *Spec) { s.Nodes[1].Checks = []Check{{Log: "up"}} }, "nodes[1].checks[0].log: a line that was printed once is not repeated"},
		"a check of no role":              {func(s *Spec) { s.Checks[2].Nodes = []string{"workers"} }, `checks[2].nodes: "workers" is not a node of the cluster`},
		"a release of an image":           {func(s *Spec) { s.Release, s.Nodes[0].ReleaseName = true, "web" }, "nodes[0].release_name: an image that exists is not made with release_name"},
		"a release that is none":          {func(s *Spec) { s.Image, s.Source, s.Nodes[0].ReleaseName = "", "/src", "web" }, "nodes[0].release_name: it names a release, and release is not true"},
		"an image and its Dockerfile":     {func(s *Spec) { s.Source, s.Nodes[0].Image, s.Nodes[0].Target = "/src", "web:2", "web" }, "nodes[0].image: an image that exists is not built: dockerfile, target and args would have no effect"},
		"a Dockerfile of no folder":       {func(s *Spec) { s.Nodes[0].Dockerfile = "Dockerfile" }, "nodes[0].dockerfile: no folder is given that has a Dockerfile"},
		"a Dockerfile for no node": {func(s *Spec) {
			s.Image, s.Source, s.Dockerfile = "", "/src", "A"
			for i := range s.Nodes {
				s.Nodes[i].Dockerfile = "B"
			}
		}, "dockerfile: it would have no effect: no node is built from it"},
		"a target for no node": {func(s *Spec) {
			s.Image, s.Source, s.Target = "", "/src", "web"
			for i := range s.Nodes {
				s.Nodes[i].Dockerfile = "B"
			}
		}, "target: it would have no effect: no node is built from it"},
		"arguments for no node": {func(s *Spec) {
			s.Image, s.Source, s.Args = "", "/src", map[string]string{"A": "1"}
			for i := range s.Nodes {
				s.Nodes[i].Dockerfile = "B"
			}
		}, "args: they would have no effect: no node is built with them"},
		"an image and how it is made": {func(s *Spec) { s.Nodes[0].Image, s.Nodes[0].MixEnv = "web:2", "prod" }, "nodes[0].image: an image that exists is not made with mix_env or release_name"},
	} {
		t.Run(name, func(t *testing.T) {
			s := roles()
			tt.change(&s)
			var invalid *SpecError
			if err := s.Validate(); !errors.As(err, &invalid) {
				t.Fatalf("%v", err)
			}
			var got []string
			for _, p := range invalid.Problems {
				if got = append(got, p.Field+": "+p.Text); p.Hint == "" {
					t.Errorf("%s has no hint", p.Field)
				}
			}
			if len(got) != 1 || got[0] != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// Nodes are named by their own names and by their roles'. A name that is neither, or a
// role where one node is wanted, is refused with what can be written.
func TestNamesOfNodesAndRoles(t *testing.T) {
	s := roles()
	s.Nodes = append(s.Nodes, NodeSpec{Name: "db1", Role: "db"})
	for names, want := range map[string]string{
		"":                "[]",
		"web":             "[web]",
		"worker":          "[worker1 worker2]",
		"db":              "[db1]",
		"worker2 worker":  "[worker2 worker1]",
		"web worker1 web": "[web worker1]",
	} {
		got, err := s.NodesOf(strings.Fields(names)...)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v, want %s", names, got, err, want)
		}
	}
	for name, want := range map[string]string{
		"wroker": "no such node: wroker; did you mean worker? cluster mill has web, worker1, worker2, db1; roles: worker, db",
		"wep":    "no such node: wep; did you mean web? cluster mill has web, worker1, worker2, db1; roles: worker, db",
		"x":      "no such node: x; cluster mill has web, worker1, worker2, db1; roles: worker, db",
		"":       "no such node: ; cluster mill has web, worker1, worker2, db1; roles: worker, db",
	} {
		_, err := s.NodesOf("web", name)
		if got := fmt.Sprint(err) + "; " + HintOf(err); got != want || !errors.Is(err, ErrNoNode) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if err := s.NoNode("worker"); err.Error() != "no such node: worker is a role" || HintOf(err) != "name one of its nodes: worker1, worker2" {
		t.Errorf("%v: %s", err, HintOf(err))
	}
	for field, change := range map[string]func(*Spec){
		"nodes[0].after":  func(s *Spec) { s.Nodes[0].After = []string{"wroker"} },
		"checks[0].nodes": func(s *Spec) { s.Checks[0].Nodes = []string{"wroker"} },
	} {
		s := roles()
		change(&s)
		var invalid *SpecError
		if err := s.Validate(); !errors.As(err, &invalid) || len(invalid.Problems) != 1 || invalid.Problems[0].Field != field || !strings.HasPrefix(invalid.Problems[0].Hint, "did you mean worker? ") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// twoImages is a spec as Prepare leaves it of nodes with two releases.
func twoImages() Spec {
	return Spec{
		Name: "loom", Source: "/src", Image: "sha256:front", Precompiled: true, Release: true, Command: []string{images.ReleaseScript, "start"}, Cookie: "crumb",
		Nodes: []NodeSpec{{Name: "web", App: "loom_web"}, {Name: "worker", App: "loom_worker", Image: "sha256:back", Built: true, Precompiled: true}, {Name: "db", Image: "db:1", App: "-"}},
	}.Defaulted()
}

// Other sources differ in the image alone, whichever nodes' it is.
func TestOtherImagesAreOneDifference(t *testing.T) {
	s, other := twoImages(), twoImages()
	if d := s.Diff(other); len(d) != 0 {
		t.Errorf("%q", d)
	}
	other.Nodes[1].Image = "sha256:later"
	if diff := cmp.Diff([]string{"image"}, s.Diff(other)); diff != "" {
		t.Error(diff)
	}
	other.Nodes[1].App = "loom"
	if diff := cmp.Diff([]string{"image", "nodes"}, s.Diff(other)); diff != "" {
		t.Error(diff)
	}
}

// One image may hold two releases, which two commands start.
func TestTwoReleasesOfOneImageAreNotCompared(t *testing.T) {
	s := Spec{Image: "loom:1", Release: true, Nodes: []NodeSpec{
		{Name: "web", Command: []string{"/app/front/bin/front", "start"}}, {Name: "worker", Command: []string{"/app/back/bin/back", "start"}},
	}}
	if s.CodeKey("web") == s.CodeKey("worker") {
		t.Error("they have other modules")
	}
	s.Nodes[1].Command = s.Nodes[0].Command
	if s.CodeKey("web") != s.CodeKey("worker") {
		t.Error("they have the same")
	}
}
