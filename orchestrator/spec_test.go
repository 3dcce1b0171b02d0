package orchestrator

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

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
