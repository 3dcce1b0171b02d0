// Package diagnosis tells why: what is wrong with a cluster, what to type next,
// and which of several findings is the root of the others.
//
//	lines, errors, exits, states ──► Evidence ──► Diagnose ──► []Finding, roots first
//	    (collected elsewhere)                        │
//	                                          a table of rules
//
// It is pure: no I/O, no clock, no engine. Who has the evidence collects it.
//
// # Threads
//
// None. Everything may be called from several goroutines at once.
package diagnosis
