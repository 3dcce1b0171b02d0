package upgrade

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

func made(image string) manifest.Build {
	return manifest.Build{ID: "sha256:" + image, Cluster: manifest.ClusterBuild{Image: image}}
}

// runs reads "n1 a ready, n2 b failed": nodes, the images that they run, and their states.
func runs(text string) (st orchestrator.Status, now map[string]manifest.Build) {
	st, now = orchestrator.Status{Cluster: "demo"}, map[string]manifest.Build{}
	for _, one := range strings.Split(text, ", ") {
		words := strings.Fields(one)
		st.Nodes = append(st.Nodes, orchestrator.NodeStatus{Name: words[0], State: orchestrator.State(words[2]), Reason: "some reason"})
		now[words[0]] = made(words[1])
	}
	return st, now
}

func TestPlan(t *testing.T) {
	for _, tc := range []struct {
		name, nodes string
		batch       int
		back        bool
		want        [][]string
		err         string
	}{
		{name: "one by one", nodes: "n1 a ready, n2 a ready, n3 a ready", batch: 1, want: [][]string{{"n1"}, {"n2"}, {"n3"}}},
		{name: "in groups", nodes: "n1 a ready, n2 a ready, n3 a ready", batch: 2, want: [][]string{{"n1", "n2"}, {"n3"}}},
		{name: "done", nodes: "n1 b ready, n2 b ready", batch: 1},
		{name: "continued", nodes: "n1 b ready, n2 a ready", batch: 1, want: [][]string{{"n2"}}},
		{name: "what is not well comes first", nodes: "n1 a ready, n2 a failed, n3 a degraded", batch: 3, want: [][]string{{"n2", "n3"}, {"n1"}}},
		{name: "not well with it", nodes: "n1 b failed, n2 a ready", batch: 1, err: "n1 is failed with the image that it is to run (some reason): no node was changed"},
		{name: "not well with it, back", nodes: "n1 b failed, n2 a ready", batch: 1, back: true, want: [][]string{{"n2"}}},
		{name: "stopped", nodes: "n1 a stopped, n2 a ready", batch: 1, err: "n1 is stopped: no node was changed"},
		{name: "stopped, back", nodes: "n1 a stopped, n2 a ready", batch: 1, back: true, want: [][]string{{"n1"}, {"n2"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			st, now := runs(tc.nodes)
			to := map[string]manifest.Build{}
			for _, n := range st.Nodes {
				to[n.Name] = made("b")
			}
			got, err := plan(st, now, to, tc.batch, tc.back)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
			if text := message(err); text != tc.err {
				t.Errorf("error %q; want %q", text, tc.err)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		nodes string
		want  verdict
		node  string
	}{
		{"n1 b ready, n2 a ready", goOn, ""},
		{"n1 b starting, n2 a ready", wait, "n1"},
		{"n1 b ready, n2 a backing-off", wait, "n2"},
		{"n1 b starting, n2 a failed", giveUp, "n2"},
		{"n1 b stopped, n2 a ready", giveUp, "n1"},
		{"n1 b ready, n2 a ready, n3 a failed", goOn, ""}, // it need not be
	} {
		st, _ := runs(tc.nodes)
		if got, node := judge(st, []string{"n1", "n2"}); got != tc.want || node != tc.node {
			t.Errorf("%s: %d, %s; want %d, %s", tc.nodes, got, node, tc.want, tc.node)
		}
	}
}

// An upgrade that follows a complete one goes back to what that one brought. One that follows an
// upgrade that stopped goes back to what was before that one.
// An error says what each node runs that is not as it was.
func TestAStoppedUpgradeSaysWhatItReplaced(t *testing.T) {
	for _, tc := range []struct {
		states []NodeState // of n1 to n3, which stops it
		back   bool
		want   string
	}{
		{[]NodeState{Waiting, Waiting, Waiting}, false, "no node is replaced"},
		{[]NodeState{Waiting, Waiting, Unwell}, false, "no other node is replaced"},
		{[]NodeState{Replaced, Unchanged, Unwell}, false, "n1 replaced"},
		{[]NodeState{Replaced, Unwell, Unwell}, false, "n1 replaced, n2 has the new image"},
		{[]NodeState{Unwell, Waiting, Waiting}, true, "n1 has the image before"},
	} {
		e := &Stopped{Report: Report{Cluster: "demo", Back: tc.back}, Node: "n3", Err: ErrNoUpgrade}
		for i, n := range orchestrator.NodeNames(3) {
			e.Report.Nodes = append(e.Report.Nodes, NodeReport{Name: n.Name, State: tc.states[i]})
		}
		if want := " of demo stopped at n3, " + tc.want + ": "; !strings.Contains(e.Error(), want) {
			t.Errorf("%v; want %s", e, want)
		}
	}
}

func TestRecordOfTheNextUpgrade(t *testing.T) {
	first := Record{From: map[string]manifest.Build{"n1": made("a"), "n2": made("a")}, To: map[string]manifest.Build{"n1": made("b"), "n2": made("b")}}
	to := map[string]manifest.Build{"n1": made("c"), "n2": made("c")}
	for nodes, want := range map[string]string{
		"n1 b ready, n2 b ready":  "b b",
		"n1 b failed, n2 a ready": "a a",
	} {
		_, now := runs(nodes)
		r := first.next(now, to, nil)
		if got := r.From["n1"].Cluster.Image + " " + r.From["n2"].Cluster.Image; got != want {
			t.Errorf("after %s it goes back to %s; want %s", nodes, got, want)
		}
	}
	_, now := runs("n1 a ready, n2 own ready")
	if r := (Record{}).next(now, map[string]manifest.Build{"n1": made("b")}, nil); len(r.From) != 1 {
		t.Errorf("nodes that are not concerned are recorded: %v", r.From)
	}
}

func TestDeclared(t *testing.T) {
	yes := true
	mix := orchestrator.Spec{
		Name: "demo", Source: "/demo", File: "/etc/demo.yml", BaseImage: "trixie", Image: "beamyard/demo:1", Precompiled: true, ImageBoot: "direct", MixEnv: "dev", App: "demo",
		Nodes: []orchestrator.NodeSpec{{Name: "n1", Image: "beamyard/demo:2", Built: true, Precompiled: true, MixEnv: "test"}, {Name: "n2", Image: "other:1"}},
	}
	own := images.Info{Entrypoint: []string{"/app/bin/shop"}, Cmd: []string{"start"}}
	image := orchestrator.Spec{Name: "demo", Source: "shop:1", Image: "shop:1", Release: true, Entrypoint: own.Entrypoint, Command: own.Cmd, ImageEnv: map[string]string{"MIX_ENV": "prod"}}
	release := mix
	release.Release, release.Command = true, []string{images.ReleaseScript, "start"}
	docker := orchestrator.Spec{
		Name: "demo", Source: "/demo", Dockerfile: "Dockerfile", Image: "beamyard/demo:3",
		Nodes: []orchestrator.NodeSpec{{Name: "n1", Image: "beamyard/demo:4", Built: true, Target: "web", Release: &yes, Command: []string{"start"}}},
	}
	nodes := []orchestrator.NodeSpec{{Name: "n1", MixEnv: "test"}, {Name: "n2", Image: "other:1"}}
	for _, tc := range []struct {
		name      string
		has       orchestrator.Spec
		source    string
		reference bool
		want      orchestrator.Spec
	}{
		{"a project again", mix, "/demo", false, orchestrator.Spec{Name: "demo", Source: "/demo", File: "/etc/demo.yml", BaseImage: "trixie", MixEnv: "dev", App: "demo", Nodes: nodes}},
		{"another project", mix, "/demo2", false, orchestrator.Spec{Name: "demo", Source: "/demo2", BaseImage: "trixie", MixEnv: "dev", App: "demo", Nodes: nodes}},
		{"from a project to an image", mix, "shop:1", true, orchestrator.Spec{Name: "demo", Source: "shop:1", App: "demo", Nodes: nodes}},
		{"a release of a project", release, "/demo", false, orchestrator.Spec{Name: "demo", Source: "/demo", File: "/etc/demo.yml", BaseImage: "trixie", MixEnv: "dev", App: "demo", Release: true, Nodes: nodes}},
		{"the command of an image", image, "shop:2", true, orchestrator.Spec{Name: "demo", Source: "shop:2", Release: true}},
		{"a node's own build", docker, "/demo", false, orchestrator.Spec{Name: "demo", Source: "/demo", Dockerfile: "Dockerfile", Nodes: []orchestrator.NodeSpec{{Name: "n1", Target: "web"}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := declared(tc.has, own, tc.source, tc.reference)
			if len(got.Nodes) == 0 {
				got.Nodes = nil
			}
			if diff := cmp.Diff(manifest.MustJSON(tc.want), manifest.MustJSON(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
