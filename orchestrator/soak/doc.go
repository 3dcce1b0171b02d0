// Package soak runs a detached cluster for any length of time, injects faults
// continuously, and checks that no line is lost and nothing is left behind. It contains
// only tests, behind the build tag soak:
//
//	go test -tags soak -count=1 -timeout 0 -v ./orchestrator/soak -soak 10m -seed 7
//
//	seed ─► plan ─► play ──► beamyard up -d, kill, restart, start, rpc
//	                 │                 │
//	                 │           supervisor ──► proxy ──► engine ──► 5 printers
//	                 │                 │          ▲                     ▲
//	                 ├── kill -9 ──────┘          │                     │
//	                 ├── cut ─────────────────────┘                     │
//	                 ├── beamyard crash, partition, blip, slow, dns, squeeze, clock
//	                 └── docker kill, stop, pause ──────────────────────┘
//
//	collect ◄── control socket ◄── supervisor     what it delivered, line by line,
//	                                              against the engine's own log
//
// # What is checked
//
//   - Output: the supervisors deliver exactly the lines that the engine kept. A line has
//     the same number in every supervisor; no line is missing, duplicated or replaced.
//     Within a run the printer's own count has no gap.
//   - Exits: a restart follows a crash, none follows a `docker stop`, and the memory
//     limit is distinguished from a kill. No node fails permanently.
//   - Faults: those that were injected are over when they were healed, or by themselves at
//     their end, whether the supervisor or the engine was away meanwhile or not.
//   - At quiet moments the cluster is Ready, no fault is in force, and the supervisor has no more open files
//     and goroutines than at its first quiet moment.
//   - At the end nothing is left: no container, network, process or goroutine.
//
// The nodes of an odd seed are connected over TLS.
//
// Package chaos breaks a cluster, and asks whether the cluster comes back. This package breaks
// the supervisor and its connection to the engine as well, and acts behind its back; so it has a
// plan of its own.
//
// # Replay
//
// The faults and their offsets depend only on the seed and the duration; see plan. The
// machine's timing varies slightly, so a replay repeats the same faults, but not at the
// same microseconds.
//
// # Threads
//
//   - play, on the test's goroutine: passes each step, when it is due, to its target's
//     worker.
//   - worker, one for each node, for the supervisor and for the proxy: runs its target's
//     steps one after another.
//   - collector, two: one follows the lines and one the events, through one supervisor
//     after the other.
//   - proxy: one goroutine that accepts, and two for each connection.
package soak
