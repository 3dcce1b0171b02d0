// Package testsupport starts clusters of Elixir and Erlang nodes in Go tests, as
// testcontainers-go starts containers.
//
//	test ── Start ──► Cluster ── Node("n1") ──► a testcontainers.Container
//	  │                 │  │                      (Exec, Logs, MappedPort, wait strategies …)
//	  │ Crash, Pause,   │  └─ RPC, WaitMesh ────► the node itself, over the distribution
//	  │ Disconnect …    │
//	  └───────────────► cluster.Cluster, its supervisor ──► the engine
//
// Package orchestrator makes all the containers: it proves the nodes, keeps their output,
// and detects when they exit. [Run] passes testcontainers' options on to it, and [Node]
// presents each of its containers as a testcontainers.Container.
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
// # Cleanup
//
// Nothing is left behind. [CleanupCluster] removes a cluster when its test ends. If the
// process ends first, by SIGKILL, the panic of -timeout, or os.Exit in TestMain, a
// watchdog removes the cluster: the test binary runs once more as a child and waits for
// its parent to exit (guard.go).
//
// Clusters also carry testcontainers' session labels, so its reaper Ryuk removes them
// where it runs. The process connects to Ryuk before its first cluster, because all test
// binaries of a `go test ./...` share one session. If Ryuk's image is not available, Ryuk
// is disabled for the process, unless the user configured it, and the watchdog also
// removes what testcontainers created in the process (session.go).
//
// If a watchdog is killed too, the next watchdog that starts removes the clusters it
// left.
//
// # Parked clusters
//
// With BEAMYARD_WARM=1, or warm: 1 in the beamyard.yml, [Start] and [Run] take a cluster that was
// parked while an earlier test ran: its network, ports and containers exist, and its nodes have run
// nothing yet (package orchestrator/parking). The next one is parked once this one is Ready. A
// process of the test binary keeps them for five minutes, so the next `go test` finds one.
//
// A parked cluster is taken only if the prepared spec, the images and the files are equal. It then
// has the environment, output, exit codes, limits and ports of a fresh one. It differs in four ways:
// its name begins with the source's name instead of the test's, its owner is the process that
// parked it, it has no session label of testcontainers (watchdogs remove it, and not Ryuk), and its
// containers were created and started before the test. A damaged one is replaced in silence.
//
// # Faults
//
// A fault returns when the nodes have seen it, and is undone when its test ends, in
// reverse order. Restarts are off by default, because a cluster that heals itself hides
// failures from a test. [Cluster.Disconnect] works at the level of the BEAM's
// distribution; package network/fault is for partitions of the network.
//
// [Cluster.Faults] has what the test broke, with begin and end. The checks of package
// testsupport/history name it: they find what was lost, doubled, or read wrongly.
//
// # Without an engine
//
// A test fails if no engine answers; it is not skipped silently.
// BEAMYARD_SKIP_WITHOUT_ENGINE=1 skips it with a message. Code that takes an
// orchestrator.Engine can be tested without an engine: package orchestrator/enginetest
// has an in-memory one.
//
// # Environment
//
//	BEAMYARD_KEEP=1                   keep the clusters of failed tests
//	BEAMYARD_EXPORT_DIR=DIR           write the evidence of failures to DIR
//	BEAMYARD_WARM=1                   take parked clusters, and park the next ones; 0 does neither
//	BEAMYARD_SKIP_WITHOUT_ENGINE=1    skip tests if no engine answers
//	TESTCONTAINERS_…                  as in testcontainers-go
//
// # Threads
//
//   - Each cluster has the goroutines of its supervisor, see package orchestrator. One
//     more goroutine waits for the supervisor's Run to return.
//   - While a test waits for what nodes see of each other, one goroutine per node reads
//     the node's reports (watch.go). They end with the wait.
//   - Where clusters are parked, one goroutine orders the next one, for ten seconds at most.
//   - Each log consumer has one goroutine, until the cluster ends.
//
// The session, the list of clusters and the shared clusters belong to the process; a
// mutex guards each. A token gives a shared cluster to one test at a time.
package testsupport
