package build_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/build"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/validation"
)

// Each recipe makes one image, however many nodes use it. Existing images are not built
// again, and a prepared spec is not changed by another Prepare.
func TestPrepareMakesAnImageForEachRecipe(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nARG MIX_ENV\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	eng := enginetest.New("db:1")
	spec := orchestrator.Spec{Name: "mill", Source: dir, Nodes: []orchestrator.NodeSpec{
		{Name: "web", MixEnv: "prod"}, {Name: "n1", MixEnv: "test"}, {Name: "db", Image: "db:1"}, {Name: "n2", MixEnv: "test"}, {Name: "web2", MixEnv: "prod"},
	}}
	var progress bytes.Buffer
	made, err := build.Prepare(t.Context(), eng, spec, &progress)
	if err != nil {
		t.Fatal(err)
	}
	var runs []string
	for _, n := range made.Nodes {
		full, _ := made.NodeOf(n.Name)
		runs = append(runs, full.Image)
	}
	if runs[0] != made.Image || runs[1] == runs[0] || runs[1] != runs[3] || runs[4] != runs[0] || runs[2] != "db:1" || runs[1] == "" {
		t.Errorf("they run %q", runs)
	}
	if spec.Nodes[1].Image != "" {
		t.Error("the caller's spec was changed")
	}
	for _, want := range []string{"image 1 of 2, for web, web2, MIX_ENV=prod\n", "image 2 of 2, for n1, n2, MIX_ENV=test\n"} {
		if !strings.Contains(progress.String(), want) {
			t.Errorf("no %q in %q", want, progress.String())
		}
	}
	eng.FailNext("Info", orchestrator.ErrEngineUnreachable) // an image that exists is found without it: it takes an engine longer than all the rest
	again, err := build.Prepare(t.Context(), eng, made, nil)
	if diff := validation.Diff(made, again); err != nil || len(diff) > 0 {
		t.Errorf("%v, %v", diff, err)
	}
}

// The choice of a release is up to the Dockerfile.
func TestAReleaseNameIsRefusedBesideADockerfile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	spec := orchestrator.Spec{Name: "mill", Source: dir, Release: true, Nodes: []orchestrator.NodeSpec{{Name: "web", ReleaseName: "front"}}}
	_, err := build.Prepare(t.Context(), enginetest.New(), spec, nil)
	if !strings.Contains(orchestrator.HintOf(err).String(), "command: [/app/bin/front, start]") {
		t.Errorf("%v", err)
	}
}

// A node's Dockerfile, target and arguments apply only to its image. The output of a
// build shows no value of an argument.
func TestPrepareBuildsANodesOwnDockerfile(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Dockerfile": "FROM scratch AS web\nFROM scratch AS worker\n", "Dockerfile.db": "FROM scratch\nARG TOKEN\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	eng := enginetest.New()
	spec := orchestrator.Spec{Name: "mill", Source: dir, Nodes: []orchestrator.NodeSpec{
		{Name: "n1"}, {Name: "web", Target: "web"}, {Name: "db", Dockerfile: "Dockerfile.db", Args: map[string]string{"TOKEN": "word"}}, {Name: "web2", Target: "web"},
	}}
	var progress bytes.Buffer
	made, err := build.Prepare(t.Context(), eng, spec, &progress)
	if err != nil {
		t.Fatal(err)
	}
	image := map[string]string{}
	for _, n := range made.Nodes {
		full, _ := made.NodeOf(n.Name)
		image[n.Name] = full.Image
	}
	if image["n1"] != made.Image || image["web"] != image["web2"] || image["web"] == image["n1"] || image["db"] == image["n1"] || image["db"] == image["web"] {
		t.Errorf("they run %v", image)
	}
	for _, want := range []string{"image 1 of 3, for n1\n", "image 2 of 3, for web, web2, target web\n", "image 3 of 3, for db, Dockerfile.db, args TOKEN\n"} {
		if !strings.Contains(progress.String(), want) {
			t.Errorf("no %q in %q", want, progress.String())
		}
	}
	if strings.Contains(progress.String(), "word") {
		t.Errorf("the value of an argument is shown: %q", progress.String())
	}
	eng.FailNext("Info", orchestrator.ErrEngineUnreachable) // of an engine with many images, it takes longer than all the rest
	again, err := build.Prepare(t.Context(), eng, made, nil)
	if diff := validation.Diff(made, again); err != nil || len(diff) > 0 {
		t.Errorf("%v, %v", diff, err)
	}
}

// A node's build settings that its source does not support are refused before anything is
// built, with the node's name.
func TestANodesDockerfileThatHasNoEffect(t *testing.T) {
	mix, docker := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(mix, "mix.exs"): "", filepath.Join(mix, "Dockerfile"): "FROM scratch\n", filepath.Join(docker, "Dockerfile"): "FROM scratch\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		spec       orchestrator.Spec
		node       orchestrator.NodeSpec
		want, hint string
	}{
		"a target of a Mix project":  {orchestrator.Spec{Source: mix}, orchestrator.NodeSpec{Target: "web"}, "node web: " + mix + ": is a Mix project: target: web would have no effect", "dockerfile: Dockerfile"},
		"arguments of a Mix project": {orchestrator.Spec{Source: mix}, orchestrator.NodeSpec{Args: map[string]string{"A": "1"}}, "args: would have no effect", "dockerfile: Dockerfile"},
		"no such Dockerfile":         {orchestrator.Spec{Source: mix}, orchestrator.NodeSpec{Dockerfile: "Dockerfile.web"}, "node web: Dockerfile.web: no such Dockerfile", "there is a Dockerfile in it"},
		"a release of a Dockerfile":  {orchestrator.Spec{Source: mix, Release: true}, orchestrator.NodeSpec{Dockerfile: "Dockerfile", ReleaseName: "front"}, "release_name: front would have no effect", "[/app/bin/front, start]"},
		"an image that exists":       {orchestrator.Spec{Image: "mill:1", Source: mix}, orchestrator.NodeSpec{Dockerfile: "Dockerfile"}, "is an image that exists already: dockerfile: Dockerfile would have no effect", "leave it out"},
		"no such stage":              {orchestrator.Spec{Source: docker}, orchestrator.NodeSpec{Target: "web"}, `has no stage "web", which target asks for`, "FROM image AS web"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.spec.Name, tt.node.Name = "mill", "web"
			tt.spec.Nodes = []orchestrator.NodeSpec{{Name: "n1"}, tt.node}
			_, err := build.Detect(tt.spec)
			if err == nil {
				_, err = build.Prepare(t.Context(), enginetest.New(), tt.spec, nil)
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(orchestrator.HintOf(err).String(), tt.hint) {
				t.Errorf("%v\nhint: %s", err, orchestrator.HintOf(err))
			}
		})
	}
}
