package orchestrator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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

func TestRecipes(t *testing.T) {
	web, prod := NodeSpec{Name: "web", ReleaseName: "front"}, NodeSpec{Name: "worker", ReleaseName: "back", MixEnv: "prod"}
	for name, tt := range map[string]struct {
		nodes []NodeSpec
		want  string
	}{
		"all alike":                    {NodeNames(3), "[n1, n2, n3]"},
		"each its own":                 {[]NodeSpec{web, prod}, "[web, release front] [worker, release back, MIX_ENV=prod]"},
		"the cluster's first":          {[]NodeSpec{web, {Name: "n1"}, {Name: "n2"}}, "[n1, n2] [web, release front]"},
		"what exists is not made":      {[]NodeSpec{{Name: "db", Image: "db:1"}, web}, "[web, release front]"},
		"what the source does not run": {[]NodeSpec{{Name: "db", Image: "db:1"}}, "[]"},
		"Dockerfiles of their own": {
			[]NodeSpec{{Name: "a", Dockerfile: "A"}, {Name: "n1"}, {Name: "b", Dockerfile: "B", Target: "run"}, {Name: "a2", Dockerfile: "A"}},
			"[n1] [a, a2, A] [b, B, target run]",
		},
		"targets and arguments": {
			[]NodeSpec{{Name: "a", Args: map[string]string{"V": "1", "W": "2"}}, {Name: "b", Args: map[string]string{"W": "2", "V": "1"}}, {Name: "c", Target: "run", Args: map[string]string{"V": "1"}}},
			"[a, b, args V W] [c, target run, args V]",
		},
	} {
		s := Spec{Nodes: tt.nodes}
		order, nodes := s.recipes()
		var texts []string
		for _, r := range order {
			texts = append(texts, "["+r.of(s, nodes[r])+"]")
		}
		if got := strings.Join(texts, " "); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// Of a Dockerfile of its own a node takes nothing that the cluster says of another one;
// without one, its target and arguments go over the cluster's.
func TestWhatANodeIsBuiltOf(t *testing.T) {
	s := Spec{Source: "/src", Dockerfile: "A", Target: "run", Args: map[string]string{"V": "1", "W": "2"}}
	for want, n := range map[string]NodeSpec{
		"A run map[V:1 W:2]": {},
		"A web map[V:1 W:2]": {Target: "web"},
		"A run map[V:3 W:2]": {Args: map[string]string{"V": "3"}},
		"B  map[]":           {Dockerfile: "B"},
		"B last map[V:9]":    {Dockerfile: "B", Target: "last", Args: map[string]string{"V": "9"}},
	} {
		w := s.wantAt(n)
		if got := fmt.Sprint(w.Dockerfile, " ", w.Target, " ", w.Args); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		s.Nodes = []NodeSpec{n}
		if got := s.recipe(0).want(s); !cmp.Equal(got.Args, w.Args, cmpopts.EquateEmpty()) || got.Target != w.Target || got.Dockerfile != w.Dockerfile {
			t.Errorf("its recipe asks for %v, want %v", got, w)
		}
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
		if got := fmt.Sprint(err) + "; " + hintOf(err); got != want || !errors.Is(err, ErrNoNode) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if err := s.noNode("worker"); err.Error() != "no such node: worker is a role" || hintOf(err) != "name one of its nodes: worker1, worker2" {
		t.Errorf("%v: %s", err, hintOf(err))
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

func TestNodesOfTwoImagesOfOneSource(t *testing.T) {
	s := twoImages()
	for i, want := range []string{"sha256:front", "sha256:back", "db:1"} {
		if c := containerSpec(s, i, "net", placement{}, time.Unix(1, 0)); c.Image != want {
			t.Errorf("%s runs %s", s.Nodes[i].Name, c.Image)
		}
	}
	for node, want := range map[string]bool{"web": false, "worker": false, "db": true} {
		if s.usesCustomImage(node) != want {
			t.Errorf("%s: an image of its own: %t", node, !want)
		}
	}
	if s.runs("web") == s.runs("worker") {
		t.Error("web and worker run the same")
	}
	if s.otherBuild("web") || !s.otherBuild("worker") || s.otherBuild("db") {
		t.Error("worker is of another build than the compiler, and web and db are not")
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
