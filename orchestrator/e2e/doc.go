// Package e2e contains only tests: real BEAM nodes of each OTP release on a real engine,
// through the library's public API. What needs no real node is tested in memory; see
// packages orchestrator and enginetest. SCENARIOS.md lists what is promised, and by which
// test it is shown.
//
//	scenario_test.go   run, up, eventually: a cluster of the demo for one test
//	cluster_test.go    clusters that many scenarios use, one after the other
//	broken_test.go     deliberately broken clusters, and their findings
//
// # Threads
//
// Each test runs its clusters in goroutines that end with the test.
package e2e
