package validation_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/validation"
)

// roles is a cluster of a web node and two workers.
func roles() orchestrator.Spec {
	return orchestrator.Spec{
		Name: "mill", Image: "mill:1", App: "mill", HTTPCheck: "/health", Cookie: "crumb",
		Checks: []orchestrator.Check{{Name: "db", RPC: "1"}, {HTTP: "/live"}, {Name: "queue", RPC: "2", Nodes: []string{"worker"}}},
		Nodes: []orchestrator.NodeSpec{
			{Name: "web", HTTPPort: 4001, HTTPCheck: "/up", Checks: []orchestrator.Check{{Name: "db", RPC: "3"}}},
			{Name: "worker1", Role: "worker", App: "mill_worker", HTTPPort: -1},
			{Name: "worker2", Role: "worker", HTTPCheck: "-"},
		},
	}
}

func TestRolesThatCannotBe(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*orchestrator.Spec)
		want   string
	}{
		"a node that is called as a role": {func(s *orchestrator.Spec) { s.Nodes[0].Name, s.Nodes = "worker", s.Nodes[:2] }, `nodes[1].role: "worker" is also the name of a node`},
		"no port":                         {func(s *orchestrator.Spec) { s.Nodes[0].HTTPPort = 70000 }, "nodes[0].http_port: 70000 is not a TCP port"},
		"the distribution's port":         {func(s *orchestrator.Spec) { s.Nodes[0].HTTPPort = 9100 }, "nodes[0].http_port: 9100 is distribution.port too"},
		"no path":                         {func(s *orchestrator.Spec) { s.Nodes[0].HTTPCheck = "up" }, `nodes[0].http_check: "up" is not a path`},
		"a check without a port":          {func(s *orchestrator.Spec) { s.Nodes[1].HTTPCheck = "/up" }, "nodes[1].http_check: the node has no HTTP port"},
		"a check by HTTP without a port":  {func(s *orchestrator.Spec) { s.Nodes[1].Checks = []orchestrator.Check{{HTTP: "/up"}} }, "nodes[1].checks[0].http: no node that it is asked of has an HTTP port"},
		"a check of other nodes": {func(s *orchestrator.Spec) {
			s.Nodes[1].Checks = []orchestrator.Check{{RPC: "1", Nodes: []string{"web"}}}
		}, "nodes[1].checks[0].nodes: the check stands at a node already"},
		"a line that is repeated":     {func(s *orchestrator.Spec) { s.Nodes[1].Checks = []orchestrator.Check{{Log: "up"}} }, "nodes[1].checks[0].log: a line that was printed once is not repeated"},
		"a check of no role":          {func(s *orchestrator.Spec) { s.Checks[2].Nodes = []string{"workers"} }, `checks[2].nodes: "workers" is not a node of the cluster`},
		"a release of an image":       {func(s *orchestrator.Spec) { s.Release, s.Nodes[0].ReleaseName = true, "web" }, "nodes[0].release_name: an image that exists is not made with release_name"},
		"a release that is none":      {func(s *orchestrator.Spec) { s.Image, s.Source, s.Nodes[0].ReleaseName = "", "/src", "web" }, "nodes[0].release_name: it names a release, and release is not true"},
		"an image and its Dockerfile": {func(s *orchestrator.Spec) { s.Source, s.Nodes[0].Image, s.Nodes[0].Target = "/src", "web:2", "web" }, "nodes[0].image: an image that exists is not built: dockerfile, target and args would have no effect"},
		"a Dockerfile of no folder":   {func(s *orchestrator.Spec) { s.Nodes[0].Dockerfile = "Dockerfile" }, "nodes[0].dockerfile: no folder is given that has a Dockerfile"},
		"a Dockerfile for no node": {func(s *orchestrator.Spec) {
			s.Image, s.Source, s.Dockerfile = "", "/src", "A"
			for i := range s.Nodes {
				s.Nodes[i].Dockerfile = "B"
			}
		}, "dockerfile: it would have no effect: no node is built from it"},
		"a target for no node": {func(s *orchestrator.Spec) {
			s.Image, s.Source, s.Target = "", "/src", "web"
			for i := range s.Nodes {
				s.Nodes[i].Dockerfile = "B"
			}
		}, "target: it would have no effect: no node is built from it"},
		"arguments for no node": {func(s *orchestrator.Spec) {
			s.Image, s.Source, s.Args = "", "/src", map[string]string{"A": "1"}
			for i := range s.Nodes {
				s.Nodes[i].Dockerfile = "B"
			}
		}, "args: they would have no effect: no node is built with them"},
		"an image and its base":       {func(s *orchestrator.Spec) { s.Nodes[0].Image, s.Nodes[0].BaseImage = "web:2", "trixie" }, "nodes[0].base_image: an image that exists has its base already"},
		"an image and how it is made": {func(s *orchestrator.Spec) { s.Nodes[0].Image, s.Nodes[0].MixEnv = "web:2", "prod" }, "nodes[0].image: an image that exists is not made with mix_env or release_name"},
	} {
		t.Run(name, func(t *testing.T) {
			s := roles()
			tt.change(&s)
			var invalid *orchestrator.SpecError
			if err := validation.Check(s); !errors.As(err, &invalid) {
				t.Fatalf("%v", err)
			}
			var got []string
			for _, p := range invalid.Problems {
				if got = append(got, p.Field+": "+p.Text); len(p.Hint) == 0 {
					t.Errorf("%s has no hint", p.Field)
				}
			}
			if len(got) != 1 || got[0] != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// A name that is neither a node's nor a role's is refused with the nearest one.
func TestUnknownNamesOfNodes(t *testing.T) {
	for field, change := range map[string]func(*orchestrator.Spec){
		"nodes[0].after":  func(s *orchestrator.Spec) { s.Nodes[0].After = []string{"wroker"} },
		"checks[0].nodes": func(s *orchestrator.Spec) { s.Checks[0].Nodes = []string{"wroker"} },
	} {
		s := roles()
		change(&s)
		var invalid *orchestrator.SpecError
		if err := validation.Check(s); !errors.As(err, &invalid) || len(invalid.Problems) != 1 || invalid.Problems[0].Field != field || !strings.HasPrefix(invalid.Problems[0].Hint.String(), "did you mean worker? ") {
			t.Errorf("%s: %v", field, err)
		}
	}
}
