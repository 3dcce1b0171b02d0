// Package example is a complete test suite of a clustered application, to copy from.
//
// It tests the demo (images/demo), whose nodes share a counter: that it survives a
// crash, that two nodes which lost each other agree once they have met again, and
// that it works with a service of somebody else's, which is an ordinary container of
// testcontainers.
//
//	TestMain ── testsupport.Main
//	   ├─ TestCrash, TestNetsplit ── Shared ──► one cluster of three nodes, in turn
//	   └─ TestPayment ── Start ──► a node of its own ◄──► a container (testdata/payment.exs)
//
// There is nothing in it but tests: see example_test.go, and run it with
//
//	go test ./testsupport/example
//
// # Threads
//
// None.
package example
