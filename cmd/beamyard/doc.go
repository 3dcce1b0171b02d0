// Command beamyard runs clusters of Elixir/BEAM nodes as Docker containers.
//
//	argv ──kong──▶ one command ──▶ one library call ──▶ text or JSON
//	                 (up.go, ps.go, …)  (orchestrator, orchestrator/control)
//
// A command returns its error. [run] is the one place that prints an error with its hint
// and turns it into an exit code, after all deferred calls have run. stdout carries the
// answer, stderr everything else.
//
// # Which process supervises a cluster
//
//	up         the command's own process: Ctrl-C takes the cluster down; a child,
//	           `beamyard watchdog`, does so if the command is killed
//	run, test  as up, until their command ends; with --reuse or --keep-on-failure
//	           as up -d
//	up -d      a child, `beamyard supervise`, in a session of its own
//	supervise  the command's own process, for a cluster whose supervisor is gone;
//	           Ctrl-C leaves the nodes running
//
//	up -d ──spec as JSON──▶ stdin  supervise  stdout ──report, JSON──▶ up -d
//	                               stderr ──▶ <cluster>.log, beside the socket
//
// The child reports once, on its stdout: no error when the cluster is Ready, or the typed
// error that ended it (see package control), and the path of its evidence. `up -d` then
// prints and exits as if it had run the cluster itself. A child that exits without a
// report has crashed, and the last lines of its log are shown. Until the report arrives,
// the parent draws progress from the control socket, as any other command could.
//
// The process that supervises a cluster also serves its page, from the first `ui` on (see package
// ui). Without such a process, `ui` serves the page itself, until Ctrl-C.
//
// Commands look for a cluster's socket first. If no supervisor answers, they find the
// cluster by the labels of its containers.
//
// # Threads
//
// [run] starts one goroutine that turns signals into a cancelled context (the first) and
// a closed channel (the second).
//
// A foreground `up` runs these goroutines beside the command itself: the cluster, the
// control socket's server, that of the page once somebody asks for it, one that waits for
// the second signal, and one that draws events. `run` has one more that forwards signals
// and one that reports nodes that fail. All have ended when the command returns.
//
// `top` has those of package top.
//
// `iex` and `exec` have one goroutine for terminal resizes and one for SIGQUIT, or one
// for the signals that are forwarded to the command. One that reads stdin may still be
// running when they return.
package main
