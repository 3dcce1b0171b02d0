// Package testsupport has clusters of Elixir and Erlang nodes in Go tests, the way
// testcontainers-go has containers.
//
//	test ── Start ──► Cluster ── Node("n1") ──► a testcontainers.Container
//	  │                 │  │                      (Exec, Logs, MappedPort, wait strategies …)
//	  │ Crash, Pause,   │  └─ RPC, WaitMesh ────► the node itself, over the distribution
//	  │ Disconnect …    │
//	  └───────────────► orchestrator.Cluster, its supervisor ──► the engine
//
// One path makes containers, that of package orchestrator: it proves the nodes, keeps
// what they print, and finds their ends. testcontainers' options are carried over to
// it ([Run]), and its containers are then adopted as testcontainers' own ([Node]).
//
// # A test
//
//	func TestShop(t *testing.T) {
//		c := testsupport.Start(t, "../shop", testsupport.WithNodes(3))
//		c.Crash(t, "n2")
//		orders, err := testsupport.RPC[int](t.Context(), c.Node("n1"), "Shop.Orders", "count")
//		…
//	}
//
// # What is left behind
//
// Nothing. [CleanupCluster] removes a cluster when its test ends. Should the process
// end before, by SIGKILL, the panic of -timeout, or os.Exit in TestMain, a watchdog
// does: the test binary once more, as a child that waits for its parent's end
// (guard.go). Clusters carry testcontainers' session labels, too, so its reaper Ryuk
// removes them where it runs: then the process is connected to it before its first
// cluster, for the session is that of all test binaries of a `go test ./...`. Where its
// image cannot be had, Ryuk is switched off for the process, unless the user said
// otherwise, and the watchdog also removes what testcontainers made in it (session.go).
// What a watchdog that was killed itself leaves of clusters, the next one that starts
// sweeps.
//
// # Faults
//
// A fault returns when the nodes have seen it, and is mended when its test ends, the
// last one first. Restarts are off by default: a cluster that heals itself hides what
// a test looks for. [Cluster.Disconnect] works on the BEAM's own level; partitions of
// the network are package network/fault's.
//
// # Without an engine
//
// A test fails that finds no engine, rather than being skipped in silence;
// BEAMYARD_SKIP_WITHOUT_ENGINE=1 skips it, and says so. Code that takes an
// orchestrator.Engine can be tested without any: package orchestrator/enginetest has
// one in memory.
//
// # Environment
//
//	BEAMYARD_KEEP=1                   the clusters of tests that fail stay for a look
//	BEAMYARD_EXPORT_DIR=DIR           evidence of failures is left there
//	BEAMYARD_SKIP_WITHOUT_ENGINE=1    tests that find no engine are skipped
//	TESTCONTAINERS_…                  as testcontainers-go has them
//
// # Threads
//
//   - A cluster's supervisor has those of package orchestrator; one goroutine waits for
//     what its Run returns.
//   - While somebody waits for what nodes see, each of them has a goroutine that reads
//     what it tells (watch.go); it ends with the wait.
//   - Each log consumer has one, until the cluster's end.
//
// The session, the list of clusters and the shared clusters are the process's: a
// mutex each. A shared cluster belongs to one test at a time, by a token.
package testsupport
