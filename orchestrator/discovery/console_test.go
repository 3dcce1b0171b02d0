package discovery

import (
	"slices"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestShellSpec(t *testing.T) {
	spec := orchestrator.Spec{Name: "demo", Cookie: "CRUMBLE", Nodes: []orchestrator.NodeSpec{{Name: "n1"}, {Name: "n2", Env: map[string]string{"ERL_AFLAGS": "-setcookie OTHER"}}}}.Defaulted()
	flagged := spec
	flagged.Env = map[string]string{"ERL_AFLAGS": "-proto_dist inet6_tcp"}
	for _, tc := range []struct {
		spec  orchestrator.Spec
		node  orchestrator.NodeStatus
		names string
		me    string
		flags string
	}{
		{spec, orchestrator.NodeStatus{Name: "n1", Node: "app@n1.demo.test"}, "name", "shell-u@n1.demo.test", "-setcookie CRUMBLE"},
		{spec, orchestrator.NodeStatus{Name: "n1", Node: "rabbit@n1"}, "sname", "shell-u@n1", "-setcookie CRUMBLE"},
		{flagged, orchestrator.NodeStatus{Name: "n1", Node: "app@n1.demo.test"}, "name", "shell-u@n1.demo.test", "-setcookie CRUMBLE -proto_dist inet6_tcp"},
		// a VM that finds two cookies uses neither
		{flagged, orchestrator.NodeStatus{Name: "n2", Node: "app@n2.demo.test"}, "name", "shell-u@n2.demo.test", "-setcookie OTHER"},
	} {
		got := shellSpec(tc.spec, tc.node, "U", orchestrator.ExecSpec{Env: []string{"TERM=vt100"}})
		if args := got.Command[4:7]; !slices.Equal(args, []string{tc.node.Node, tc.names, tc.me}) {
			t.Errorf("%s: %v", tc.node.Node, args)
		}
		if flags := got.Command[7]; flags != "-hidden -dist_listen false -start_epmd false -erl_epmd_port 9100" {
			t.Errorf("%s: %s", tc.node.Node, flags)
		}
		if want := []string{"TERM=vt100", "ERL_AFLAGS=" + tc.flags, "ERL_CRASH_DUMP_SECONDS=0"}; !slices.Equal(got.Env, want) {
			t.Errorf("%s: %v", tc.node.Node, got.Env)
		}
		if strings.Contains(strings.Join(got.Command, " "), "CRUMBLE") {
			t.Errorf("%s: the cookie is an argument", tc.node.Node)
		}
	}
}
