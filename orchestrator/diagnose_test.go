package orchestrator

import (
	"fmt"
	"maps"
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
		if got := fmt.Sprint(nodeEvidence(s, s.indexOf(node)).Runs); got != want {
			t.Errorf("%s: %s, want %s", node, got, want)
		}
	}
}

// As OTP 25 to 29 print it; what is no such line is nobody's name.
func TestRegisteredNames(t *testing.T) {
	for printed, want := range map[string]map[string]int{
		"epmd: up and running on port 4369 with data:\nname app at port 25999\nname other-1 at port 9100\n": {"app": 25999, "other-1": 9100},
		"epmd: up and running on port 4369 with data:\n":                                                    {},
		"epmd: Cannot connect to local epmd\n":                                                              {},
		"name app at port\nname at port 1":                                                                  {},
	} {
		if got := registeredNames(printed); !maps.Equal(got, want) {
			t.Errorf("%q: %v", printed, got)
		}
	}
}
