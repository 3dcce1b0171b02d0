// Package control gives other processes access to a running cluster. The supervisor
// serves HTTP and JSON over a unix socket, and the commands dial it.
//
//	beamyard ps ─┐                                   ┌─ the supervisor's process ─┐
//	beamyard logs┤ Client ── /…/beamyard/demo.sock ──┤ Serve ── Controller        │
//	beamyard down┘ (a Controller too)                └────────────────────────────┘
//
// The socket has mode 0600, in a folder of mode 0700. File permissions decide who may
// dial it, so there is no other authentication. It can be used by hand:
//
//	curl --unix-socket $XDG_RUNTIME_DIR/beamyard/demo.sock http://demo/status
//
// # Endpoints
//
//	GET  /supervisor                                  the serving process: [Supervisor]
//	GET  /status                                      orchestrator.Status
//	GET  /spec                                        orchestrator.Spec, with the cookie and the secrets
//	GET  /health                                      orchestrator.HealthReport
//	POST /ready                                       waits until the cluster is Ready
//	GET  /events?after=N&follow=true                  a stream of orchestrator.Event
//	GET  /journal                                     reports of others: a list of orchestrator.JournalEntry
//	GET  /logs?node=n1&stream=&tail=50&since=&follow= a stream of orchestrator.Line
//	POST /nodes/start|stop|restart                    {"nodes": ["n1"]}
//	POST /nodes/kill                                  {"nodes": ["n1"], "signal": "KILL"}
//	POST /ui                                          {"port": 0, "read_only": false}: serves the page, an address of it: [Page]
//	POST /down                                        waits until nothing is left
//
// A stream is NDJSON, one frame per line: {"item": …} for each item, then exactly one
// {"end": true} or {"error": …}. A stream that stops without either was interrupted, and
// the client reports an error rather than the end of the stream.
//
// # Errors
//
// An error crosses the wire with its text, its hint, and the names of all the sentinels
// that it matches. SpecError and ClusterError are transmitted in full. So errors.Is,
// errors.As and hints give the same results on both sides:
//
//	{"text": "n1: not running", "kinds": ["not-running"],
//	 "hint": ["start it: ", {"do": "start", "cluster": "demo", "nodes": ["n1"]}]}
//
// Hints cross as the list that package hint describes, in reports and events too, so that
// each client writes their steps in its own words. A client also accepts a hint that is a
// string, as earlier supervisors send it, and writes a step that it does not know as a
// command of that name.
//
// # One supervisor per cluster
//
// [Listen] holds a lock beside the socket for as long as it is served. The kernel
// releases the lock when the process ends, whatever the cause. A process that holds the
// lock knows that an existing socket is stale, and removes it. Dialling the socket and
// removing it when there is no answer is not enough: two supervisors that start at once
// could remove each other's socket.
//
// # Threads
//
// [Serve] runs one goroutine that accepts and, as net/http does, one for each connection;
// it returns when all have ended. [Client] starts none.
package control
