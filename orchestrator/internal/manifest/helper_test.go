package manifest

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// A helper belongs to its cluster, and is not one of its nodes.
func TestAHelperIsNotANode(t *testing.T) {
	s, created := orchestrator.Spec{Name: "demo", Image: "demo:1", Nodes: orchestrator.NodeNames(2)}.Defaulted(), time.Unix(1_700_000_000, 0)
	s.Owner, s.Labels = orchestrator.Owner{Host: "here", PID: 7}, map[string]string{"team": "shop"}
	c := Helper(s, "net", created, "compiler", []string{"elixir"})
	if c.Name != "beamyard-demo-compiler" || c.Hostname != "compiler.demo.test" || c.IP != (netip.Addr{}) || len(c.Ports) != 0 || c.NetworkID != "net" || c.Image != "demo:1" {
		t.Errorf("%+v", c)
	}
	s.Clock = true
	s.Release, s.CookieFile, s.Volumes, s.Entrypoint = true, "/root/.erlang.cookie", map[string]string{"data": "/data"}, []string{"/init"}
	if c := Helper(s, "net", created, "compiler", []string{"elixir", "-v"}); len(c.Volumes) != 0 || !slices.Equal(c.Entrypoint, []string{"elixir"}) || !slices.Equal(c.Command, []string{"-v"}) || !slices.Contains(c.Env, "ERL_AFLAGS=-setcookie "+s.Cookie) {
		t.Errorf("of a release: %+v", c)
	}
	if c := Helper(s, "net", created, "compiler", []string{"elixir"}); slices.ContainsFunc(c.Env, func(e string) bool { return strings.HasPrefix(e, "LD_PRELOAD=") }) {
		t.Errorf("a helper without libfaketime is to load it: %v", c.Env)
	}
	if c.Labels[orchestrator.LabelNode] != "" || c.Labels[orchestrator.LabelHelper] != "compiler" || c.Labels[orchestrator.LabelCluster] != "demo" || c.Labels["team"] != "shop" || orchestrator.OwnerOf(c.Labels).PID != 7 {
		t.Errorf("labels %v", c.Labels)
	}
}
