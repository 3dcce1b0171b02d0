package orchestrator

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

func validSpec() Spec {
	return Spec{Name: "shop", Image: "shop:1", Nodes: NodeNames(3)}
}

func TestDiff(t *testing.T) {
	a, b := validSpec(), validSpec()
	b.Cookie, b.Owner, b.Source, b.Env, b.Labels, b.HTTPPort = "other", Owner{Host: "here", PID: 7}, "elsewhere", map[string]string{}, map[string]string{}, DefaultHTTPPort
	if diff := a.Diff(b); len(diff) != 0 { // by definition, or by default
		t.Errorf("differ in %v", diff)
	}
	b.Image, b.Nodes, b.Restart.Max, b.Labels = "shop:2", NodeNames(4), 7, map[string]string{"a": "b"}
	if diff := a.Diff(b); !slices.Equal(diff, []string{"image", "nodes", "labels", "restart"}) {
		t.Errorf("differ in %v", diff)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	err := error(&ClusterError{Cluster: "shop", Kind: ErrNodeFailed, Problems: []NodeProblem{
		{Node: "n1", State: Failed, Reason: "boom", Hint: hint.Text("look"), Output: []string{"stderr: boom"}},
		{Node: "n2", State: Failed, Reason: "boom", Hint: hint.Text("look")},
	}})
	want := "cluster shop: a node failed\n  n1 (failed): boom\n    | stderr: boom\n  n2 (failed): boom"
	if err.Error() != want || HintOf(err).String() != "look" || !errors.Is(err, ErrNodeFailed) {
		t.Errorf("%v, hint %q", err, HintOf(err))
	}
	if WithHint(nil, "x") != nil {
		t.Error("a hint without an error makes an error")
	}
	if text, err := json.Marshal(NodeStatus{Name: "n1", State: Ready}); err != nil || strings.Contains(string(text), "started_at") {
		t.Errorf("%s, %v", text, err)
	}
}
