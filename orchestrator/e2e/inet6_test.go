package e2e_test

import (
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

// Nodes that connect to each other over IPv6 only are reached like any others.
func TestDistributionOverIPv6(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			r := up(t, engine(t), otp.base, 2, func(s *orchestrator.Spec) { s.Distribution.Inet6 = true })
			// The sockets of n1's connections to visible nodes, and the address families
			// of their peers.
			const families = `[{Node, size(Address)} || {Node, Port} <- erlang:system_info(dist_ctrl), lists:member(Node, nodes()),
				{ok, {Address, _}} <- [inet:peername(Port)]]`
			over := "[{'" + r.node("n2").Node + "',8}]"
			ask := func() string {
				t.Helper()
				value, err := r.Eval(t.Context(), "n1", families, orchestrator.EvalOptions{Erlang: true})
				if err != nil {
					t.Fatal(err)
				}
				return value
			}
			if got := ask(); got != over {
				t.Errorf("connected over %s, want %s", got, over)
			}
			if err := r.Kill(t.Context(), "KILL", "n2"); err != nil {
				t.Fatal(err)
			}
			r.until("n2", "runs again", func(n orchestrator.NodeStatus) bool { return n.Incarnation == 2 })
			r.ready()
			if got := ask(); got != over {
				t.Errorf("after a crash connected over %s, want %s", got, over)
			}
		})
	}
}
