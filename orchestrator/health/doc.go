// Package health says whether a cluster is well: it asks its nodes and judges
// what they tell.
//
//	node ─ Take ──► Sample ─┐
//	node ─ Take ──► Sample ─┼─► Observation ──► Judge ──► Report
//	own checks ──► Outcome ─┘    Expectations ─┘ ▲   six groups of checks, a matrix,
//	                             Thresholds ─────┘   figures, what to do
//
// A sample is one call on the node, of an expression that OTP's own interpreter
// evaluates (sample.erl): no code is loaded there and no agent runs, so it works
// in an image of anybody's. [Glance] is the part of it that the proof of a node
// that boots needs.
//
// [Judge] is pure and used twice: for reports, and by the supervisor, which makes
// a node Ready or Degraded by the checks of [Connectivity], [Operations] and
// [Resources]. So a node is never Degraded for what a report calls healthy.
// [Performance] changes no state: a busy node is no broken one.
//
// This package knows nothing of containers and of what runs the cluster's own
// checks: it is given their outcomes.
//
// # Threads
//
// None. Everything may be called from several goroutines at once.
//
// # Sources
//
// Erlang/OTP documentation: ERTS, erlang(3), system_info/1, statistics/1 and
// memory/0; STDLIB, beam_lib(3). The Linux manual, proc(5), and the kernel's
// documents of cgroups, versions 1 and 2.
package health
