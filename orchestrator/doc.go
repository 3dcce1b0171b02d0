// Package orchestrator runs the declared nodes of a BEAM cluster, restarts them by
// policy, and reports what happened to them.
//
//	Spec ──► New ──► Run(ctx)
//	                  │  prepare    engine, image, network, addresses, ports
//	                  │  subscribe  to the engine's events, before anything is created
//	                  ▼
//	       ┌──────── loop ────────┐         step is pure: no I/O, no lock, no clock
//	post ─►│ mailbox ─► step ─► … │──► perform: launch, stop, probe, follow, sweep …
//	       └──────────────────────┘         │
//	  ▲                                     │  each in its own goroutine,
//	  └───────── reports, events ◄──────────┘  each report with its incarnation
//
// A cluster's state lives in two places only: in the supervisor, which one goroutine
// owns, and in labels on the engine's objects. Any process can list, adopt or remove a
// cluster by these labels ([List], [Find], [Remove], [Prune], [Options].Adopt). Data that
// nodes keep in named volumes outlives the cluster ([ListVolumes], [RemoveVolumes]).
//
// # What decides
//
// supervisor.step takes a message and the time, and returns actions. Its parts are:
//
//   - lifecycle.go starts and stops nodes.
//   - observe.go handles the engine's reports about nodes.
//   - command.go handles users' requests.
//   - proof.go decides when a node is proven.
//   - forming.go decides when the cluster is up.
//   - policy.go decides when a node is restarted.
//
// A node has one [State], and at most one operation in progress at the engine.
//
// # What Ready means
//
// A node is Ready when all of these hold:
//
//   - It completed a distribution handshake with this process, under its own name and
//     with the cluster's cookie.
//   - Its application is started.
//   - Its HTTP check and its custom checks pass; those of [Spec].Ready once in each run.
//   - It and every other live node see each other in erlang:nodes/0, unless the mesh mode
//     is none.
//
// A cluster is ready when every node is Ready and every pair is connected. A node that was
// proven becomes Degraded when it fails one of these, or is near a limit of its resources.
// Package health judges both (prover.go), and also the reports of [Cluster.Health].
//
// # How ends are found
//
// There are three ways, and each is sufficient alone:
//
//   - The engine's event stream, resumed from the time of the last event.
//   - A comparison with the engine's list of containers, after each (re)connect and every
//     30 s, because engines drop events under load.
//   - The distribution connection, which breaks when a VM ends.
//
// Reports about an older incarnation than the present one are dropped in one place
// (supervisor.stale).
//
// When a signal came from outside, an end is judged after a short delay, because the
// event of a `docker stop` may follow the death. A `docker stop` is respected: the node
// stays down. A bare `docker kill` is a crash, unless an `oom` event follows. An engine
// that restarts reports a `docker stop` for each of its containers. If no node of the
// cluster survived and the event stream then broke, the nodes are started again
// (engineGone). An engine that was killed stops the containers it finds running at its
// next start, and reports those stops once it is back. Such an engine is recognised by
// having forgotten the last events it reported (listen.go).
//
// # By hand
//
// [Eval] queries a node over the distribution (eval.exs and eval.erl run on the node).
// [Shell], [Exec] and [Send] go through the engine into the node's container (console.go,
// shell.sh). They need no supervisor and do not notify one: a node that ends during such a
// call is judged as usual.
//
// # What outlives a supervisor
//
// A detached cluster ([Owner].Detached) outlives its supervisor, and so does a failed one
// that is kept ([Spec].KeepOnFailure). The next supervisor adopts it: it takes the running
// nodes as they are, and asks the engine for events from before the ends that it finds, to
// tell a stop from a crash (adopt.go). Its counters start from zero: labels cannot be
// changed, so they hold no counters. Anything else that a dead keeper left behind is
// removed by package watchdog at once, by the next Run (sweep), or by [Prune].
//
// # Why
//
// When a node ends, degrades or does not become ready, the supervisor looks for the cause
// (why.go). It collects data about all nodes (diagnose.go): the last lines of their runs,
// how a dial ended, which peers each node lacks, and what listens inside. Package diagnosis
// then says what is wrong. The findings appear in [NodeStatus].Findings, as an event, and
// in the error that ends a cluster. A node that has only just begun to boot is not
// diagnosed.
//
// # Deliberate disconnection
//
// Disconnect keeps nodes apart by means of their own VMs: each gets a cookie for the other
// that no node has (partition_halves.erl). The supervisor holds the wanted state as one set of pairs
// (partition.go). Changes that a run of a node has not received yet are sent once it lives
// (partition_halves.go). A disconnected pair is exempt wherever the mesh is judged. Disconnections
// whose groups would overlap are refused if the kernel prevents overlapping partitions:
// global would disconnect uninvolved nodes. For a failing network, see package
// network/fault.
//
// # Code
//
// Package codesync brings changed sources into the nodes ([Cluster.Sync], [Sync]). This
// package provides what codesync needs:
//
//   - The cluster's compiler (compiler.go): a container that is not a node. It has the
//     cluster's owner, so whatever removes the cluster removes it too.
//   - The nodes with their connections and file systems (sync.go).
//   - The synced code in recreated containers, before they start (launch.go).
//
// # Failure
//
// When a cluster fails, [Options].OnFailure is called before any part of it is stopped or
// removed (collect.go), so that package evidence finds all of it in place. The journal
// (journal.go) holds what the engine, users and nodes reported until then; see
// [Controller].Journal.
//
// # Threads
//
//   - loop, on Run's caller: owns the supervisor and the probes' cancel functions. It is
//     fed by the mailbox, a timer and Run's context.
//   - listen, one: owns the event subscription and the recently delivered events.
//   - probe, one for each run of a node: owns the run's distribution connection, which it
//     shares with others through links. The loop ends it (actForget). A second goroutine
//     forwards the node's reports about its peers for as long as the connection lives.
//   - follow, one for each run of a node: reads the run's output into its rings, and ends
//     by itself when all is read.
//   - launch, stop, pause, inspect, autopsy, diagnose, collect, connect, setHalf, sweep,
//     compare: one goroutine for each action (and one for the hook of collect), ended by
//     its own deadline or by Run's end.
//   - users' goroutines: run a sync, one at a time by a token (sync.go), which Run's end
//     cancels and waits for; read the published [Status], the event log and the rings; and
//     post commands to the mailbox.
//   - forward, if there is an [Options].Logger: one for each node's output and one for the
//     events. They end with these. A handler that blocks does not hold up any other
//     goroutine.
//
// Run returns after all of them have ended, with one exception: it waits at most two
// seconds for a logger's goroutine that blocks, and then leaves it behind.
package orchestrator
