// Package orchestrator defines what a cluster of BEAM nodes is: what a user declares, what
// is reported about it, and what a container engine must be able to do.
//
//	Spec ──► build ──► cluster.New ──► Run ──► Status, Event, Line, Exit
//	                        │
//	                        ▼
//	                     Engine  (package docker, or package enginetest in tests)
//
// The package holds data and interfaces. It starts no goroutine and does no I/O. The packages
// that do the work are:
//
//   - validation checks specs.
//   - build turns the sources of a spec into images.
//   - cluster starts the nodes of a spec and keeps them running.
//   - discovery finds clusters by their labels, without a supervisor.
//   - docker implements [Engine] with the Docker Engine API.
//   - diagnosis explains what is wrong: it makes each [Finding].
//   - logs keeps what nodes print.
//   - compiler compiles changed sources for a sync.
//   - secrets removes secret values from text.
//   - keeper tells whether the process that keeps a cluster is alive.
//
// # Declared
//
// A [Spec] declares a cluster: its nodes, what they run, and their settings. It is plain data,
// and is stored as JSON in a label of the cluster's network. [Spec.Defaulted] fills its
// defaults, and package validation checks it. A setting of a [NodeSpec] takes precedence over
// that of the cluster; [Spec.NodeAt] returns a node with both combined.
//
// # Reported
//
// A node is in one [State]. It is Ready when all of these hold:
//
//   - It completed a distribution handshake with the supervisor's process, under its own name
//     and with the cluster's cookie.
//   - Its application is started.
//   - Its HTTP check and its custom checks pass; those of [Spec].Ready once in each run.
//   - It and every other live node see each other in erlang:nodes/0, unless the mesh mode is
//     none.
//
// A cluster is ready when every node is Ready and every pair is connected. A node that was
// Ready becomes Degraded when it fails one of these, or is near a limit of its resources.
//
// How a run of a node ended is an [Exit]. Its class comes from the engine's events, from what
// users requested, and from the exit code; the code alone decides nothing.
//
// # Controlled
//
// [Controller] is a running cluster, for users and for the control socket. Errors match the
// sentinels of this package with errors.Is; those with a next step implement [Hinter].
//
// # Threads
//
// None. All values may be copied; a value must not be changed while another goroutine uses it.
package orchestrator
