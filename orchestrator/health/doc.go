// Package health reports whether a cluster is healthy: it takes samples from the nodes
// and judges them.
//
//	node ─ Take ──► Sample ─┐
//	node ─ Take ──► Sample ─┼─► Observation ──► Judge ──► Report
//	own checks ──► Outcome ─┘    Expectations ─┘ ▲   six groups of checks, a matrix,
//	                             Thresholds ─────┘   figures, what to do
//
// A sample is one call on the node. OTP's own interpreter evaluates its expression
// (sample.erl). No code is loaded on the node and no agent runs there, so it works in any
// image. [Glance] is the part of a sample that is enough to prove that a node has booted.
//
// [Judge] is pure and has two callers: reports, and the supervisor, which makes a node
// Ready or Degraded by the checks of [Connectivity], [Operations] and [Resources]. So a
// node that a report calls healthy is never Degraded. [Performance] changes no state: a
// busy node is not a broken one.
//
// This package does not depend on containers or on how the cluster's own checks are run;
// it receives their outcomes. It explains nothing either: the findings of a report are those
// of package diagnosis, in an orchestrator.HealthReport.
//
// # Threads
//
// None. All functions are safe for concurrent use.
//
// # Sources
//
// Erlang/OTP documentation: ERTS, erlang(3), system_info/1, statistics/1 and
// memory/0; STDLIB, beam_lib(3). The Linux manual, proc(5), and the kernel's
// documents of cgroups, versions 1 and 2.
package health
