// Package diagnosis explains what is wrong with a cluster, what to type next, and which
// of several findings causes the others.
//
//	lines, errors, exits, states ──► Evidence ──► Diagnose ──► findings, root causes first
//	    (collected elsewhere)                        │
//	                                          a table of rules
//
// It is pure: no I/O, no clock, no engine. The caller collects the evidence.
//
// # Threads
//
// None. All functions are safe for concurrent use.
package diagnosis
