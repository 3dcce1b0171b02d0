package orchestrator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

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

func TestANodeHasItsOwnInPlaceOfTheClusters(t *testing.T) {
	s := roles()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	s = s.Defaulted()
	o := ownChecks{spec: s}
	for node, want := range map[string]string{
		"web":     "mill 4001 [HTTP check /up http /live rpc 3]",
		"worker1": "mill_worker -1 [rpc 1 rpc 2]",
		"worker2": "mill 4000 [rpc 1 http /live rpc 2]",
	} {
		n, _ := s.NodeOf(node)
		var checks []string
		for _, k := range o.of(node) {
			if k.RPC != "" {
				k.Name = ""
			}
			checks = append(checks, k.String())
		}
		if got := fmt.Sprint(n.App, " ", n.HTTPPort, " ", checks); got != want {
			t.Errorf("%s: %s, want %s", node, got, want)
		}
	}
	if _, there := s.NodeOf("nobody"); there {
		t.Error("there is no such node")
	}
	for i, want := range map[int]string{0: "PORT=4001", 2: "PORT=4000"} {
		if env := nodeEnv(s, i); !slices.Contains(env, want) {
			t.Errorf("%s: no %s in %q", s.Nodes[i].Name, want, env)
		}
	}
	if env := strings.Join(nodeEnv(s, 1), "\n"); strings.Contains(env, "PORT=") {
		t.Errorf("worker1 has a port: %s", env)
	}
}

// Nothing is known yet: a URL stands where a port is declared, at its own number.
func TestAURLIsOfTheNodesOwnPort(t *testing.T) {
	s := roles().Defaulted()
	ports := []PortBinding{{Container: 4000, HostIP: "127.0.0.1", Host: 4200}, {Container: 4001, HostIP: "127.0.0.1", Host: 4201}}
	for node, want := range map[string]string{"web": "http://127.0.0.1:4201", "worker1": "", "worker2": "http://127.0.0.1:4200"} {
		st := NodeStatus{Name: node}
		st.setPorts(s, ports, "")
		if st.URL != want {
			t.Errorf("%s: %q, want %q", node, st.URL, want)
		}
	}
}

func TestRolesThatCannotBe(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Spec)
		want   string
	}{
		"a node that is called as a role": {func(s *Spec) { s.Nodes[0].Name, s.Nodes = "worker", s.Nodes[:2] }, `nodes[1].role: "worker" is also the name of a node`},
		"no port":                         {func(s *Spec) { s.Nodes[0].HTTPPort = 70000 }, "nodes[0].http_port: 70000 is no TCP port"},
		"the distribution's port":         {func(s *Spec) { s.Nodes[0].HTTPPort = 9100 }, "nodes[0].http_port: 9100 is distribution.port too"},
		"no path":                         {func(s *Spec) { s.Nodes[0].HTTPCheck = "up" }, `nodes[0].http_check: "up" is no path`},
		"a check without a port":          {func(s *Spec) { s.Nodes[1].HTTPCheck = "/up" }, "nodes[1].http_check: the node has no HTTP port"},
		"a check by HTTP without a port":  {func(s *Spec) { s.Nodes[1].Checks = []Check{{HTTP: "/up"}} }, "nodes[1].checks[0].http: no node that it is asked of has an HTTP port"},
		"a check of other nodes":          {func(s *Spec) { s.Nodes[1].Checks = []Check{{RPC: "1", Nodes: []string{"web"}}} }, "nodes[1].checks[0].nodes: the check stands at a node already"},
		"a line that is repeated":         {func(s *Spec) { s.Nodes[1].Checks = []Check{{Log: "up"}} }, "nodes[1].checks[0].log: a line that was printed once is not repeated"},
		"a check of no role":              {func(s *Spec) { s.Checks[2].Nodes = []string{"workers"} }, `checks[2].nodes: "workers" is no node of the cluster`},
		"a release of an image":           {func(s *Spec) { s.Release, s.Nodes[0].ReleaseName = true, "web" }, "nodes[0].release_name: an image that exists is not made with release_name"},
		"a release that is none":          {func(s *Spec) { s.Image, s.Source, s.Nodes[0].ReleaseName = "", "/src", "web" }, "nodes[0].release_name: it names a release, and release is not true"},
		"an image and how it is made":     {func(s *Spec) { s.Nodes[0].Image, s.Nodes[0].MixEnv = "web:2", "prod" }, "nodes[0].image: an image that exists is not made with mix_env or release_name"},
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

func TestRecipes(t *testing.T) {
	web, prod := NodeSpec{Name: "web", ReleaseName: "front"}, NodeSpec{Name: "worker", ReleaseName: "back", MixEnv: "prod"}
	for name, tt := range map[string]struct {
		nodes []NodeSpec
		want  string
	}{
		"all alike":                    {NodeNames(3), "[{ }] map[{ }:[0 1 2]]"},
		"each its own":                 {[]NodeSpec{web, prod}, "[{ front} {prod back}] map[{ front}:[0] {prod back}:[1]]"},
		"the cluster's first":          {[]NodeSpec{web, {Name: "n1"}, {Name: "n2"}}, "[{ } { front}] map[{ }:[1 2] { front}:[0]]"},
		"what exists is not made":      {[]NodeSpec{{Name: "db", Image: "db:1"}, web}, "[{ front}] map[{ front}:[1]]"},
		"what the source does not run": {[]NodeSpec{{Name: "db", Image: "db:1"}}, "[{ }] map[]"},
	} {
		order, nodes := Spec{Nodes: tt.nodes}.recipes()
		if got := fmt.Sprint(order, nodes); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
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

func TestNodesOfTwoImagesOfOneSource(t *testing.T) {
	s := twoImages()
	for i, want := range []string{"sha256:front", "sha256:back", "db:1"} {
		if c := containerSpec(s, i, "net", placement{}, time.Unix(1, 0)); c.Image != want {
			t.Errorf("%s runs %s", s.Nodes[i].Name, c.Image)
		}
	}
	for node, want := range map[string]bool{"web": false, "worker": false, "db": true} {
		if s.ownImage(node) != want {
			t.Errorf("%s: an image of its own: %t", node, !want)
		}
	}
	if s.runs("web") == s.runs("worker") {
		t.Error("web and worker run the same")
	}
	s.Nodes[1].MixEnv = "dev"
	if s.otherEnv("web") || !s.otherEnv("worker") {
		t.Error("worker is of another MIX_ENV than the compiler, and web is not")
	}
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
	if s.runs("web") == s.runs("worker") {
		t.Error("they have other modules")
	}
	s.Nodes[1].Command = s.Nodes[0].Command
	if s.runs("web") != s.runs("worker") {
		t.Error("they have the same")
	}
}
