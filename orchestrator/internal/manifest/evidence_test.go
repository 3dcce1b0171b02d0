package manifest

import (
	"fmt"
	"testing"
)

// A node that runs another thing than the cluster's is judged by what it runs.
func TestEvidenceOfANodeWithItsOwn(t *testing.T) {
	s := twoImages()
	s.Nodes[0].App = "" // web runs what the cluster does
	s.App = "loom_web"
	for node, want := range map[string]string{
		"web":    "<nil>",
		"worker": "&{sha256:back loom_worker true 4000 }",
		"db":     "&{db:1  true 4000 }",
	} {
		if got := fmt.Sprint(NodeEvidence(s, s.Index(node)).Runs); got != want {
			t.Errorf("%s: %s, want %s", node, got, want)
		}
	}
}
