package e2e_test

import (
	"slices"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

// Two nodes that were disconnected for a moment are connected again, but their Mnesia is
// not. A process that holds global's lock keeps them from agreeing on names.
func connectedNodesThatDoNotAgree(t *testing.T, r *running) {
	for _, n := range []string{"n1", "n2"} {
		r.rpc(n, `:code.add_path(hd(:filelib.wildcard(~c"/usr/lib/erlang/lib/mnesia-*/ebin"))); :ok = :mnesia.start()`)
	}
	r.rpc("n1", `{:ok, [_]} = :mnesia.change_config(:extra_db_nodes, Node.list())`)
	found := func(code orchestrator.FindingCode) func() bool {
		return func() bool {
			return slices.ContainsFunc(r.health().Findings, func(f orchestrator.Finding) bool { return f.Code == code })
		}
	}
	if found("mnesia-apart")() || found("global-stuck")() {
		t.Error("findings though all is well")
	}
	r.rpc("n1", `n = hd(Node.list()); :erlang.disconnect_node(n); Process.sleep(500); Node.connect(n)`)
	eventually(t, "Mnesia does not share its tables", found("mnesia-apart"))
	r.rpc("n1", `spawn(fn -> :global.set_lock({:global, self()}); Process.sleep(:infinity) end)`)
	eventually(t, "global is stuck", found("global-stuck"))
}
