package e2e_test

import (
	"slices"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// Two nodes that were disconnected for a moment are connected again, but their Mnesia is
// not. Each has a process of its own for one name of global's. A process that holds global's
// lock keeps them from agreeing on names; a lock that is taken again and again does not.
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
	none := func(when string) {
		t.Helper()
		for _, code := range []orchestrator.FindingCode{"mnesia-apart", "global-stuck", "duplicate-names"} {
			if found(code)() {
				t.Errorf("%s: %s", when, code)
			}
		}
	}
	none("all is well")
	// Names come and go all the time, and one moves from node to node.
	const busy = `spawn(fn -> Process.register(self(), :busy); loop = fn loop, i -> :global.re_register_name(:moves, self()); :global.register_name({:busy, node(), rem(i, 50)}, spawn(fn -> Process.sleep(20) end)); receive do :stop -> :ok after 1 -> loop.(loop, i + 1) end end; loop.(loop, 0) end)`
	for _, n := range []string{"n1", "n2"} {
		r.rpc(n, busy)
	}
	for began := time.Now(); time.Since(began) < health.StuckAfter+3*time.Second; {
		none("names come and go")
	}
	for _, n := range []string{"n1", "n2"} {
		r.rpc(n, `send(:busy, :stop); :ok`)
	}
	r.rpc("n2", `:sys.replace_state(:global_name_server, fn s -> :ets.insert(:global_names, {:double, Process.whereis(:init), &:global.random_exit_name/3, make_ref()}); s end)`)
	r.rpc("n1", `:sys.replace_state(:global_name_server, fn s -> :ets.insert(:global_names, {:double, Process.whereis(:init), &:global.random_exit_name/3, make_ref()}); s end)`)
	eventually(t, "a name has two processes", found("duplicate-names"))
	for _, n := range []string{"n1", "n2"} {
		r.rpc(n, `:sys.replace_state(:global_name_server, fn s -> :ets.delete(:global_names, :double); s end)`)
	}
	none("the name has none")
	r.rpc("n1", `n = hd(Node.list()); :erlang.disconnect_node(n); Process.sleep(500); Node.connect(n)`)
	eventually(t, "Mnesia does not share its tables", found("mnesia-apart"))
	r.rpc("n1", `spawn(fn -> :global.set_lock({:global, self()}); Process.sleep(:infinity) end)`)
	eventually(t, "global is stuck", found("global-stuck"))
}
