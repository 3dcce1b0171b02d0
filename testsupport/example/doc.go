// Package example is a complete test suite for the demo in images/demo, meant to be
// copied. Three nodes share a counter; one node crashes and recovers; two nodes are
// disconnected and converge; and an ordinary testcontainers container runs beside the
// nodes.
package example
