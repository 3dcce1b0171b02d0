// Package validation checks specs: whether a cluster can be what its [orchestrator.Spec]
// declares.
//
//	Spec ──► Check ──► nil, or a SpecError with every problem at once
//
// It is pure: it sees the spec alone, and asks neither an engine nor this machine.
//
// # Threads
//
// None. All functions are safe for concurrent use.
package validation
