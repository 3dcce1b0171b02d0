// Package restart decides whether and when a node that ended is started again.
//
//	policy, history, exit, now ──► Decide ──► decision, new history
//
// It is pure: the caller provides the time and the random number of the jitter.
//
// # Threads
//
// None.
package restart
