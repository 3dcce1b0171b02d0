package validation_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/validation"
)

// twoImages returns a spec of nodes with two releases, as Prepare returns it.
func twoImages() orchestrator.Spec {
	return orchestrator.Spec{
		Name: "loom", Source: "/src", Image: "sha256:front", Precompiled: true, Release: true, Command: []string{images.ReleaseScript, "start"}, Cookie: "crumb",
		Nodes: []orchestrator.NodeSpec{{Name: "web", App: "loom_web"}, {Name: "worker", App: "loom_worker", Image: "sha256:back", Built: true, Precompiled: true}, {Name: "db", Image: "db:1", App: "-"}},
	}.Defaulted()
}

// Different sources are a difference in the image only, whichever nodes have that image.
func TestOtherImagesAreOneDifference(t *testing.T) {
	s, other := twoImages(), twoImages()
	if d := validation.Diff(s, other); len(d) != 0 {
		t.Errorf("%q", d)
	}
	other.Nodes[1].Image = "sha256:later"
	if diff := cmp.Diff([]string{"image"}, validation.Diff(s, other)); diff != "" {
		t.Error(diff)
	}
	other.Nodes[1].App = "loom"
	if diff := cmp.Diff([]string{"image", "nodes"}, validation.Diff(s, other)); diff != "" {
		t.Error(diff)
	}
}

func TestDiff(t *testing.T) {
	a, b := validSpec(), validSpec()
	b.Cookie, b.Owner, b.Source, b.Env, b.Labels, b.HTTPPort = "other", orchestrator.Owner{Host: "here", PID: 7}, "elsewhere", map[string]string{}, map[string]string{}, orchestrator.DefaultHTTPPort
	if diff := validation.Diff(a, b); len(diff) != 0 { // by definition, or by default
		t.Errorf("differ in %v", diff)
	}
	b.Image, b.Nodes, b.Restart.Max, b.Labels = "shop:2", orchestrator.NodeNames(4), 7, map[string]string{"a": "b"}
	if diff := validation.Diff(a, b); !slices.Equal(diff, []string{"image", "nodes", "labels", "restart"}) {
		t.Errorf("differ in %v", diff)
	}
}
