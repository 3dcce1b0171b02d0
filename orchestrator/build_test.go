package orchestrator_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
)

// Each way to make the source is one image, whichever nodes want it, and what exists is
// left alone; what is prepared stays so.
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
	made, err := orchestrator.Prepare(t.Context(), eng, spec, &progress)
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
	again, err := orchestrator.Prepare(t.Context(), eng, made, nil)
	if diff := made.Diff(again); err != nil || len(diff) > 0 {
		t.Errorf("%v, %v", diff, err)
	}
}

// Which release a Dockerfile makes is its own business.
func TestAReleaseNameIsRefusedBesideADockerfile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	spec := orchestrator.Spec{Name: "mill", Source: dir, Release: true, Nodes: []orchestrator.NodeSpec{{Name: "web", ReleaseName: "front"}}}
	_, err := orchestrator.Prepare(t.Context(), enginetest.New(), spec, nil)
	var hinted orchestrator.Hinter
	if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), "command: [/app/bin/front, start]") {
		t.Errorf("%v", err)
	}
}
