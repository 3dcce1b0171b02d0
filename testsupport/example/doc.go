// Package example is a complete test suite of the demo in images/demo, to copy from:
// three nodes that share a counter, a crash and the recovery after it, a pair that is
// disconnected and converges, and an ordinary container of testcontainers beside the
// nodes.
package example
