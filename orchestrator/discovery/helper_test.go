package discovery

import (
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

// A helper is found by its purpose. A node is not a helper.
func TestHelpersAreNotNodes(t *testing.T) {
	node := orchestrator.Container{ID: "1", Labels: map[string]string{orchestrator.LabelNode: "n1"}}
	helper := orchestrator.Container{ID: "2", Labels: map[string]string{orchestrator.LabelHelper: "compiler"}}
	if h := helpersOf([]orchestrator.Container{node, helper}); len(h) != 1 || h["compiler"].ID != "2" {
		t.Errorf("helpers %v", h)
	}
}
