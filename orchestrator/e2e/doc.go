// Package e2e contains only tests: real BEAM nodes of each OTP release on a real engine,
// through the library's public API. What needs no real node is tested in memory; see
// packages orchestrator and enginetest.
//
//	scenario_test.go   run, up, eventually: a cluster of the demo for one test
//	broken_test.go     deliberately broken clusters, and their findings
//	…_bench_test.go    what `make bench` measures
//
// # Threads
//
// Each test runs its clusters in goroutines that end with the test.
package e2e
