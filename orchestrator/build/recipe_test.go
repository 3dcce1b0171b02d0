package build

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The compiler has the image and the sources of the node whose build is the cluster's. If
// every node has its own Dockerfile, that is the first node.
func TestSourcesOfTheClustersBuild(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"mix.exs", "Dockerfile.web"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := orchestrator.Spec{Name: "loom", Source: dir, Image: "web:1", Nodes: []orchestrator.NodeSpec{{Name: "web", Dockerfile: "Dockerfile.web"}}}
	if src, err := Sources(s); err != nil || src.Kind != images.Dockerfile {
		t.Errorf("%v, %v", src.Kind, err)
	}
	s.Nodes = append(s.Nodes, orchestrator.NodeSpec{Name: "n1"})
	s.Nodes[0].Image, s.Nodes[0].Built = "other:1", true
	if src, err := Sources(s); err != nil || src.Kind != images.Mix {
		t.Errorf("%v, %v", src.Kind, err)
	}
}

func TestRecipes(t *testing.T) {
	web, prod := orchestrator.NodeSpec{Name: "web", ReleaseName: "front"}, orchestrator.NodeSpec{Name: "worker", ReleaseName: "back", MixEnv: "prod"}
	for name, tt := range map[string]struct {
		nodes []orchestrator.NodeSpec
		want  string
	}{
		"all alike":                    {orchestrator.NodeNames(3), "[n1, n2, n3]"},
		"each its own":                 {[]orchestrator.NodeSpec{web, prod}, "[web, release front] [worker, release back, MIX_ENV=prod]"},
		"the cluster's first":          {[]orchestrator.NodeSpec{web, {Name: "n1"}, {Name: "n2"}}, "[n1, n2] [web, release front]"},
		"what exists is not made":      {[]orchestrator.NodeSpec{{Name: "db", Image: "db:1"}, web}, "[web, release front]"},
		"what the source does not run": {[]orchestrator.NodeSpec{{Name: "db", Image: "db:1"}}, "[]"},
		"Dockerfiles of their own": {
			[]orchestrator.NodeSpec{{Name: "a", Dockerfile: "A"}, {Name: "n1"}, {Name: "b", Dockerfile: "B", Target: "run"}, {Name: "a2", Dockerfile: "A"}},
			"[n1] [a, a2, A] [b, B, target run]",
		},
		"bases of their own": {
			[]orchestrator.NodeSpec{{Name: "a", BaseImage: "bookworm"}, {Name: "n1"}, {Name: "b", BaseImage: "bookworm"}, {Name: "n2", BaseImage: "auto"}, {Name: "c", BaseImage: "bookworm", MixEnv: "prod"}},
			"[n1, n2] [a, b, base bookworm] [c, MIX_ENV=prod, base bookworm]",
		},
		"targets and arguments": {
			[]orchestrator.NodeSpec{{Name: "a", Args: map[string]string{"V": "1", "W": "2"}}, {Name: "b", Args: map[string]string{"W": "2", "V": "1"}}, {Name: "c", Target: "run", Args: map[string]string{"V": "1"}}},
			"[a, b, args V W] [c, target run, args V]",
		},
	} {
		s := orchestrator.Spec{Nodes: tt.nodes}
		order, nodes := recipes(s)
		var texts []string
		for _, r := range order {
			texts = append(texts, "["+r.of(s, nodes[r])+"]")
		}
		if got := strings.Join(texts, " "); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// A node with its own Dockerfile takes no target or arguments of the cluster. Without
// one, its target and arguments override the cluster's.
func TestWhatANodeIsBuiltOf(t *testing.T) {
	s := orchestrator.Spec{Source: "/src", Dockerfile: "A", Target: "run", Args: map[string]string{"V": "1", "W": "2"}}
	for want, n := range map[string]orchestrator.NodeSpec{
		"A run map[V:1 W:2]": {},
		"A web map[V:1 W:2]": {Target: "web"},
		"A run map[V:3 W:2]": {Args: map[string]string{"V": "3"}},
		"B  map[]":           {Dockerfile: "B"},
		"B last map[V:9]":    {Dockerfile: "B", Target: "last", Args: map[string]string{"V": "9"}},
	} {
		w := wantAt(s, n)
		if got := fmt.Sprint(w.Dockerfile, " ", w.Target, " ", w.Args); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		s.Nodes = []orchestrator.NodeSpec{n}
		if got := recipeFor(s, 0).want(s); !cmp.Equal(got.Args, w.Args, cmpopts.EquateEmpty()) || got.Target != w.Target || got.Dockerfile != w.Dockerfile {
			t.Errorf("its recipe is %v, want %v", got, w)
		}
	}
}
