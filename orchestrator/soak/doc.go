// Package soak runs a detached cluster for as long as one likes, lets things go
// wrong all the time, and checks that no line is lost and nothing is left. It
// has tests only, behind the build tag soak:
//
//	go test -tags soak -count=1 -timeout 0 -v ./orchestrator/soak -soak 10m -seed 7
//
//	seed ─► plan ─► play ──► beamyard up -d, kill, restart, start, rpc
//	                 │                 │
//	                 │           supervisor ──► proxy ──► engine ──► 5 printers
//	                 │                 │          ▲                     ▲
//	                 ├── kill -9 ──────┘          │                     │
//	                 ├── cut ─────────────────────┘                     │
//	                 └── docker kill, stop, pause ──────────────────────┘
//
//	collect ◄── control socket ◄── supervisor     what it was told, line by line,
//	                                              against the engine's own log
//
// # What is checked
//
//   - Output: what the supervisors delivered is what the engine kept, line by
//     line. A line has the same number in every supervisor; none is missing,
//     twice, or another one. Within a run the printer's own count has no gap.
//   - Ends: a crash is followed by a restart, a `docker stop` by none, the
//     memory limit is told apart from a kill. No node fails for good.
//   - At quiet moments the cluster is Ready, and the supervisor has no more
//     files open and goroutines than it had at its first one.
//   - At the end nothing is left: no container, network, process or goroutine.
//
// # Replay
//
// The faults and their offsets come from the seed and the duration alone; see
// plan. The machine answers a little differently each time, so a replay meets
// the same faults, not the same microseconds.
//
// # Threads
//
//   - play, the test's: gives each step, when it is due, to its target's worker.
//   - worker, one for each node, for the supervisor and for the proxy: does its
//     target's steps one after another.
//   - collector, two: one follows the lines, one the events, through one
//     supervisor after the other.
//   - proxy: one that accepts, two for each connection.
package soak
