package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
)

// Nodes that run another build than the cluster's have it of their own, and the cluster's is that
// of the last node.
func TestWithBuilds(t *testing.T) {
	no := false // as Prepare finds out
	spec := orchestrator.Spec{
		Name: "demo", Source: "/demo", Image: "demo:1", Precompiled: true, ImageBoot: "direct", Nodes: append(orchestrator.NodeNames(3), orchestrator.NodeSpec{Name: "db", Image: "db:1", Release: &no}),
	}.Defaulted()
	next := spec
	next.Image, next.Precompiled, next.ImageBoot, next.Release, next.Command, next.Source = "demo:2", false, "", true, []string{"/app/bin/demo", "start"}, "/demo2"
	b := BuildOf(next, 0)
	type node struct {
		Image, Command     string
		Release, Direct    bool
		Other, Custom, Own bool
	}
	look := func(s orchestrator.Spec) (nodes []node) {
		for i, n := range s.Nodes {
			at := s.NodeAt(i)
			one := node{Image: at.Image, Release: s.RunsRelease(at), Direct: BootsDirectly(s, at), Other: OtherBuild(s, n.Name), Custom: UsesCustomImage(s, n.Name)}
			if len(at.Command) > 0 {
				one.Command = at.Command[0]
			}
			nodes = append(nodes, one)
		}
		return nodes
	}
	before, after, db := node{Image: "demo:1", Direct: true}, node{Image: "demo:2", Release: true, Command: "/app/bin/demo"}, node{Image: "db:1", Custom: true}
	other := func(n node) node {
		n.Other = true
		return n
	}
	for _, tc := range []struct {
		upgraded []string
		image    string
		want     []node
	}{
		{nil, "demo:1", []node{before, before, before, db}},
		{[]string{"n1"}, "demo:1", []node{other(after), before, before, db}},
		{[]string{"n3"}, "demo:2", []node{other(before), other(before), after, db}},
		{[]string{"n1", "n2", "n3"}, "demo:2", []node{after, after, after, db}},
	} {
		builds := map[string]Build{}
		for _, n := range tc.upgraded {
			builds[n] = b
		}
		got := WithBuilds(spec, builds)
		if diff := cmp.Diff(tc.want, look(got)); diff != "" || got.Image != tc.image {
			t.Errorf("%v: image %s (-want +got):\n%s", tc.upgraded, got.Image, diff)
		}
		// Whoever has read the labels already gets the same again.
		if again := WithBuilds(got, builds); MustJSON(again) != MustJSON(got) {
			t.Errorf("%v: again (-want +got):\n%s", tc.upgraded, cmp.Diff(MustJSON(got), MustJSON(again)))
		}
	}
}

// An image is the same if its ID is; one that a tag names since is not.
func TestSameBuild(t *testing.T) {
	a, b := Build{ID: "1", Cluster: ClusterBuild{Image: "shop:latest"}}, Build{ID: "2", Cluster: ClusterBuild{Image: "shop:latest"}}
	unknown := Build{Cluster: ClusterBuild{Image: "shop:latest"}}
	if a.Same(b) || !a.Same(a) || !a.Same(unknown) || a.Same(Build{ID: "1", Cluster: ClusterBuild{Image: "shop:latest", Release: true}}) {
		t.Error("builds are compared wrongly")
	}
	if got := b.ByID().Image(); got != "2" {
		t.Errorf("by ID: %s", got)
	}
}
