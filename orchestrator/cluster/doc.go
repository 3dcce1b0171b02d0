// Package cluster starts the declared nodes of a BEAM cluster and keeps them running.
//
//	Spec ──► New ──► Run(ctx)
//	                  │  prepare    engine, image, network, addresses, ports
//	                  │  subscribe  to the engine's events, before anything is created
//	                  ▼
//	       ┌──────── loop ────────┐         Step is pure: package internal/supervisor
//	post ─►│ mailbox ─► Step ─► … │──► perform: launch, stop, probe, follow, sweep …
//	       └──────────────────────┘         │
//	  ▲                                     │  each in its own goroutine,
//	  └───────── reports, events ◄──────────┘  each report with its incarnation
//
// A cluster's state lives in two places only: in the supervisor, which one goroutine owns, and
// in labels on the engine's objects. Any process can list, adopt or remove a cluster by these
// labels: see package discovery, and [Options].Adopt.
//
// # How ends are found
//
// There are three ways, and each is sufficient alone:
//
//   - The engine's event stream, resumed from the time of the last event (listen.go).
//   - A comparison with the engine's list of containers, after each (re)connect and every 30 s,
//     because engines drop events under load (compare.go).
//   - The distribution connection, which breaks when a VM ends (package internal/probe).
//
// # What outlives a supervisor
//
// A detached cluster outlives its supervisor, and so does a failed one that is kept
// ([orchestrator.Spec].KeepOnFailure). The next supervisor adopts it: it takes the running nodes
// as they are, and asks the engine for events from before the ends that it finds, to tell a stop
// from a crash (adopt.go). Its counters start from zero: labels cannot be changed, so they hold
// no counters. Anything else that a dead keeper left behind is removed by package watchdog at
// once, by the next Run (remove.go), or by discovery.Prune.
//
// # Why
//
// When a node ends, degrades or does not become ready, the supervisor asks for the cause. This
// package collects data about all nodes (diagnose.go): the last lines of their runs, how a dial
// ended, which peers each node lacks, and what listens inside. Package diagnosis then says what
// is wrong. The findings appear in [orchestrator.NodeStatus].Findings, as an event, and in the
// error that ends a cluster. A node that has only just begun to boot is not diagnosed.
//
// # Deliberate disconnection
//
// [Cluster.Disconnect] keeps nodes apart by means of their own VMs: each gets a cookie for the
// other that no node has (blocked_peers.erl). For a failing network, see package
// network/fault.
//
// # Code
//
// [Cluster.Sync] brings changed sources into the nodes, with package codesync, the compiler of
// package compiler, and the connections of the probes. Recreated containers get the synced code
// before they start (launch.go).
//
// [Cluster.Upgrade] replaces the image of the nodes, with package upgrade. What each node runs is
// then one value that is replaced as a whole (upgrade.go); everything else of the spec never changes.
//
// # Failure
//
// When a cluster fails, [Options].OnFailure is called before any part of it is stopped or removed
// (collect.go), so that package evidence finds all of it in place. The journal (journal.go) holds
// what the engine, users and nodes reported until then.
//
// # Threads
//
//   - loop, on Run's caller: owns the supervisor and the probes' cancel functions. It is fed by
//     the mailbox, a timer and Run's context.
//   - listen, one: owns the event subscription and the recently delivered events.
//   - probe, one for each run of a node: owns the run's distribution connection, which it shares
//     with others through probe.Links. The loop ends it (supervisor.Forget). A second goroutine
//     forwards the node's reports about its peers for as long as the connection lives.
//   - follow, one for each run of a node: reads the run's output into its rings, and ends by
//     itself when all is read.
//   - launch, stop, pause, inspect, postmortem, diagnose, collect, connect, setBlocked, sweep,
//     compare: one goroutine for each action (and one for the hook of collect), ended by its own deadline
//     or by Run's end.
//   - users' goroutines: run a sync or an upgrade, one at a time by a token (turn), which Run's end cancels
//     and waits for; read the published [orchestrator.Status], the event log and the rings; and
//     post commands to the mailbox.
//   - forward, if there is an [Options].Logger: one for each node's output and one for the
//     events. They end with these. A handler that blocks does not hold up any other goroutine.
//
// Run returns after all of them have ended, with one exception: it waits at most two seconds for
// a logger's goroutine that blocks, and then leaves it behind.
package cluster
