// Package e2e has tests alone: real BEAM nodes of each OTP release on a real engine, by
// the library as its users call it. What needs no node is tested in memory; see packages
// orchestrator and enginetest.
//
//	scenario_test.go   run, up, eventually: a cluster of the demo for a test's time
//	broken_test.go     clusters that are broken on purpose, and what is found
//	…_bench_test.go    what `make bench` measures
//
// # Threads
//
// Each test runs its clusters in goroutines that end with it.
package e2e
