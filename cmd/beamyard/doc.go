// Command beamyard runs clusters of Elixir/BEAM nodes as Docker containers.
//
//	argv ──kong──▶ one command ──▶ one library call ──▶ text or JSON
//	                 (up.go, ps.go, …)  (orchestrator, orchestrator/control)
//
// A command returns its error; [run] is the one place that prints it with its
// hint and turns it into an exit code, after everything deferred has run.
// stdout carries the answer, stderr everything else.
//
// # Which process keeps a cluster
//
//	up         the command's own process: Ctrl-C takes the cluster down; a child,
//	           `beamyard watchdog`, does when the command is killed
//	run, test  as up, until their work is done; with --reuse or --keep-on-failure
//	           as up -d
//	up -d      a child, `beamyard supervise`, in a session of its own
//	supervise  the command's own process, for a cluster that has none any more;
//	           Ctrl-C leaves the nodes
//
//	up -d ──spec as JSON──▶ stdin  supervise  stdout ──report, JSON──▶ up -d
//	                               stderr ──▶ <cluster>.log, beside the socket
//
// The child reports once, on its stdout: no error when the cluster is Ready, or the
// error that ended it, typed (see package control), and where its evidence is, so
// that `up -d` prints and exits as if it had done the work itself. An end without
// a report is a crash: then the log's last lines are shown. Meanwhile the parent
// draws its progress from the control socket, as any other command could.
//
// Commands look for a cluster's socket first and fall back on the labels of its
// containers where no supervisor answers.
//
// # Threads
//
// [run] starts one goroutine that turns signals into a cancelled context (the
// first) and a closed channel (the second). A foreground `up` runs, beside the
// command itself (of `run`, one that passes signals on, and one that tells of nodes
// that fail): the cluster, the control socket's server, one goroutine that
// waits for the second signal, and one that draws events. All have ended when
// the command returns. `iex` and `exec` have one each for new sizes of the terminal
// and for SIGQUIT, or one for signals that are the command's, and one that still reads stdin when they
// return.
package main
