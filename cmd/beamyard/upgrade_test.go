package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

// Settings that a file has and a cluster has not are named; what flags added is no difference.
func TestUnappliedSettings(t *testing.T) {
	has := orchestrator.Spec{
		Name: "demo", Image: "demo:1", HTTPCheck: "/health", Env: map[string]string{"A": "1", "FLAG": "1"}, Restart: orchestrator.RestartPolicy{Max: 3},
		Nodes: orchestrator.NodeNames(2), MixEnv: "dev",
	}.Defaulted()
	for _, tc := range []struct {
		written orchestrator.Spec
		want    []string
	}{
		{orchestrator.Spec{}, nil},
		{orchestrator.Spec{Name: "shop", Source: "/shop", HTTPCheck: "/health", Env: map[string]string{"A": "1"}, Restart: orchestrator.RestartPolicy{Max: 3}}, nil},
		{orchestrator.Spec{HTTPCheck: "/up", Env: map[string]string{"A": "2"}, Restart: orchestrator.RestartPolicy{Max: 4}}, []string{"env", "http_check", "restart"}},
		{orchestrator.Spec{Volumes: map[string]string{"data": "/data"}}, []string{"volumes"}},
	} {
		if got := unapplied(has, tc.written); !slices.Equal(got, tc.want) {
			t.Errorf("%+v: %v; want %v", tc.written, got, tc.want)
		}
	}
}

// ps shows the image of each node while they differ.
func TestTableShowsImagesThatDiffer(t *testing.T) {
	st := orchestrator.Status{Cluster: "demo", Image: "beamyard/demo:1", Supervised: true, Nodes: []orchestrator.NodeStatus{
		{Name: "n1", State: orchestrator.Ready, Image: "sha256:0123456789abcdef0123"}, {Name: "n2", State: orchestrator.Ready},
	}}
	print := func() []string {
		var out, err bytes.Buffer
		a := newApp(nil, &out, &err, nil)
		if err := a.printNodes(a.out, []orchestrator.Status{st}, false); err != nil {
			t.Fatal(err)
		}
		var last []string
		for line := range strings.Lines(out.String()) {
			words := strings.Fields(line)
			last = append(last, words[len(words)-1])
		}
		return last
	}
	if got, want := print(), []string{"IMAGE", "0123456789ab", "beamyard/demo:1"}; !slices.Equal(got, want) {
		t.Errorf("%v; want %v", got, want)
	}
	st.Nodes[0].Image = ""
	if got, want := print(), []string{"RESTARTS", "0", "0"}; !slices.Equal(got, want) {
		t.Errorf("%v; want %v", got, want)
	}
}
