package orchestrator

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// A helper is of its cluster and no node of it.
func TestHelperIsNoNode(t *testing.T) {
	f := Found{Spec: Spec{Name: "demo", Image: "demo:1", Nodes: NodeNames(2)}.Defaulted(), Owner: Owner{Host: "here", PID: 7}}
	f.Spec.Labels = map[string]string{"team": "shop"}
	f.NetworkID, f.Created = "net", time.Unix(1_700_000_000, 0)
	c := f.helperSpec("compiler", []string{"elixir"})
	if c.Name != "beamyard-demo-compiler" || c.Hostname != "compiler.demo.test" || c.IP != (netip.Addr{}) || len(c.Ports) != 0 || c.NetworkID != "net" || c.Image != "demo:1" {
		t.Errorf("%+v", c)
	}
	f.Spec.Release, f.Spec.CookieFile, f.Spec.Volumes, f.Spec.Entrypoint = true, "/root/.erlang.cookie", map[string]string{"data": "/data"}, []string{"/init"}
	if c := f.helperSpec("compiler", []string{"elixir", "-v"}); len(c.Volumes) != 0 || !slices.Equal(c.Entrypoint, []string{"elixir"}) || !slices.Equal(c.Command, []string{"-v"}) || !slices.Contains(c.Env, "ERL_AFLAGS=-setcookie "+f.Spec.Cookie) {
		t.Errorf("beside a release: %+v", c)
	}
	if c.Labels[LabelNode] != "" || c.Labels[LabelHelper] != "compiler" || c.Labels[LabelCluster] != "demo" || c.Labels["team"] != "shop" || OwnerOf(c.Labels).PID != 7 {
		t.Errorf("labels %v", c.Labels)
	}
	if h := helpersOf([]Container{{ID: "1", Labels: nodeLabels(f.Spec, 0, nil, f.Created)}, {ID: "2", Labels: c.Labels}}); len(h) != 1 || h["compiler"].ID != "2" {
		t.Errorf("helpers %v", h)
	}
}
