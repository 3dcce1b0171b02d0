// Package redial decides when a node may try again to connect to peers that it lacks.
//
//	Dialled, Saw, Reset ──► Pace ──► May, Next
//
// It is pure: the caller provides the time.
//
// # Threads
//
// None. A Pace belongs to one goroutine.
package redial
