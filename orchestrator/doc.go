// Package orchestrator keeps the declared nodes of a BEAM cluster running, and
// says what happened to them.
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
// A cluster's state lives in two places only: in the supervisor, which one
// goroutine owns, and in labels on what the engine holds, from which any
// process can list, adopt or remove a cluster ([List], [Find], [Remove],
// [Prune], [Options].Adopt). What its nodes keep in named volumes outlives it
// ([ListVolumes], [RemoveVolumes]).
//
// # What decides
//
// supervisor.step takes a message and the time and returns actions. Its parts:
// lifecycle.go brings nodes up and down, observe.go takes what the engine tells
// of them, command.go what users ask for, proof.go says when a node is proven,
// forming.go when the cluster is up, policy.go when a node is restarted. A node
// has one [State] and one operation under way at the engine at most.
//
// # What Ready means
//
// A node is Ready when it completed a distribution handshake with this process
// (its own name, the cluster's cookie), its application is started, its HTTP
// check and the cluster's own checks pass, those of [Spec].Ready once a run, and it
// and every other live node see each other in erlang:nodes/0, unless the mesh is
// none. A cluster is ready when every node is, and every pair meets. A node that
// was proven is Degraded when it fails one of these, or is near a limit of its
// resources. Package health judges both (prover.go), and the reports of
// [Cluster.Health] too.
//
// # How ends are found
//
// Three ways, each enough alone: the engine's event stream, resumed from the
// last event's own time; a comparison with the engine's list after each
// (re)connect and every 30 s, because engines drop events under load; and the
// distribution connection, which breaks when a VM ends. Reports about an older
// incarnation than the present one are dropped in one place (supervisor.stale).
//
// An end is judged after a moment when a signal came from outside: `docker
// stop` is told by an event that may follow the death, and is respected; a bare
// `docker kill` is a crash, unless an `oom` follows. An engine that is restarted
// tells of its containers as of as many `docker stop`; where none of the cluster
// ran on and the stream then broke, they are started again (engineGone). One that
// was killed stops what it finds running at its next start, and tells that when
// it is back; it is known by having forgotten what it told last (listen.go).
//
// # By hand
//
// [Eval] asks a node over the distribution (eval.exs and eval.erl run there);
// [Shell], [Exec] and [Send] go by the engine into its container (console.go,
// shell.sh). None needs a supervisor, and none is one's business: a node that ends
// under them is judged as ever.
//
// # What outlives a supervisor
//
// A detached cluster ([Owner].Detached), and one that failed and was to be kept
// ([Spec].KeepOnFailure). The next supervisor adopts it: it takes what runs as it
// is, asks for the events since before the ends that it finds, and so knows a
// stop from a crash (adopt.go). Its counters begin anew: labels cannot be
// changed, so no counter is kept in them. Whatever else a dead keeper left is
// removed, by package watchdog at once, by the next Run (sweep), or by [Prune].
//
// # Why
//
// Where a node ended, got worse, or does not get on, the supervisor asks why
// (why.go). What is known of all nodes is collected (diagnose.go): the last lines
// of their runs, how a dial ended, who misses whom, what listens inside; package
// diagnosis then says what is wrong, which is told in [NodeStatus].Findings, as
// an event, and in the error that ends a cluster. A node that has only just begun
// to boot is not suspected.
//
// # Apart on purpose
//
// Disconnect keeps nodes apart by their own VMs: each has a cookie for the other that
// nobody has (halves.erl). What is wanted is one set of pairs, of the supervisor
// (cuts.go); whatever a run of a node has not been told yet it is told when it lives
// (halves.go). A pair is excused wherever the mesh is judged. Cuts whose groups would
// overlap are refused where the kernel prevents that: global would take innocent
// connections off. A failing network is package network/fault's.
//
// # Code
//
// Package codesync brings changed sources into the nodes ([Cluster.Sync], [Sync]).
// What it needs is here: the cluster's compiler (compiler.go), a container that is
// no node and has the cluster's owner, so that whatever removes the cluster removes
// it; the nodes with their links and disks (sync.go); and a container that is made
// anew gets the synced code before it starts (launch.go).
//
// # Failure
//
// A cluster that failed is shown to [Options].OnFailure before anything of it is
// stopped or removed (collect.go): package evidence then finds all of it in place.
// The journal (journal.go) has what others told meanwhile; see [Controller].Journal.
//
// # Threads
//
//   - loop, on Run's caller: owns the supervisor and the probes' cancel
//     functions. Fed by the mailbox, a timer and Run's context.
//   - listen, one: owns the event subscription and what it delivered lately.
//   - probe, one for each run of a node: owns its distribution connection,
//     which it shows to others through links. Ended by the loop (actForget). Beside
//     it one that hands on what the node tells of its peers, for as long as the
//     connection lives.
//   - follow, one for each run of a node: reads its output into its rings, and
//     ends by itself when all is read.
//   - launch, stop, pause, inspect, autopsy, diagnose, collect, connect, setHalf, sweep, compare: one
//     goroutine for each action (and one for the hook of collect), ended by its own deadline or
//     by Run's end.
//   - users' goroutines: do a sync, one at a time by a token (sync.go), which Run's
//     end cancels and waits for; read the published [Status], the event log and
//     the rings, and post commands to the mailbox.
//   - forward, where there is a [Options].Logger: one for each node's output, one for the
//     events. They end with these. A handler that blocks holds none of the others.
//
// Run returns after every one of them, but a logger's that blocks: that one it leaves
// behind after two seconds.
package orchestrator
