// Package relocation decides which nodes move away from hosts that do not answer, where to, and what
// is removed on a host that answers again.
//
//	Lose, Return ──► Hosts ──► At, Depart: when a node moves, and where to
//	Leave, Due, Removed ──► containers that moved nodes left behind
//
// It is pure: the caller provides the time, and says of each node whether it may be moved.
//
// # Threads
//
// None. A Hosts belongs to one goroutine.
package relocation
