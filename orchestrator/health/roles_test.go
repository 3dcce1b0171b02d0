package health

import (
	"strings"
	"testing"
)

// Nodes of different roles run different modules of different applications. Nodes of one
// role run the same.
func TestCodeIsComparedWithinARole(t *testing.T) {
	nodes := cluster(4)
	for i, app := range []string{"web", "web", "worker", "worker"} {
		nodes[i].App, nodes[i].Runs = app, "image of "+app
		nodes[i].Sample.Apps = []string{app}
		nodes[i].Sample.Modules = map[string]string{"Elixir." + app: "1"}
	}
	r := judged(nodes, Thresholds{})
	if got := troubles(r); got != "" {
		t.Errorf("well: %s", got)
	}
	if c := r.Of(Code)[0]; c.Figures[0].Value != 2 || c.Figures[1].Value != 4 {
		t.Errorf("compared: %+v", c.Figures)
	} else if want := "compared only within each image and application: n1 n2; n3 n4"; c.Means != want {
		t.Errorf("it says %q, want %q", c.Means, want)
	}
	nodes[3].Sample.Modules = map[string]string{"Elixir.worker": "2"}
	r = judged(nodes, Thresholds{})
	if got := troubles(r); !strings.Contains(got, "the nodes do not run the same code: worker on n") || len(r.Code) != 1 {
		t.Errorf("differs: %s, %+v", got, r.Code)
	}
	nodes[1].Sample.Apps = []string{"worker"}
	if got := troubles(judged(nodes, Thresholds{})); !strings.Contains(got, "application web is not started") {
		t.Errorf("not started: %s", got)
	}
}

// A node without an application is not compared, but the others are.
func TestANodeWithoutAnApplicationIsNotCompared(t *testing.T) {
	nodes := cluster(2)
	nodes[1].App, nodes[1].Sample.Modules, nodes[1].Sample.Apps = "-", nil, nil
	if got := troubles(judged(nodes, Thresholds{})); got != "" {
		t.Error(got)
	}
}
