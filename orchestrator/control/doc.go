// Package control lets other processes use a running cluster: HTTP and JSON
// over a unix socket that the supervisor serves and the commands dial.
//
//	beamyard ps ─┐                                   ┌─ the supervisor's process ─┐
//	beamyard logs┤ Client ── /…/beamyard/demo.sock ──┤ Serve ── Controller        │
//	beamyard down┘ (a Controller too)                └────────────────────────────┘
//
// The socket lies in a folder of mode 0700 and has mode 0600 itself: who may
// dial it is settled by the file system, so there is no other login. It can be
// used by hand:
//
//	curl --unix-socket $XDG_RUNTIME_DIR/beamyard/demo.sock http://demo/status
//
// # Endpoints
//
//	GET  /supervisor                                  who serves: [Supervisor]
//	GET  /status                                      orchestrator.Status
//	GET  /spec                                        orchestrator.Spec, with the cookie and the secrets
//	GET  /health                                      health.Report
//	POST /ready                                       waits until the cluster is Ready
//	GET  /events?after=N&follow=true                  a stream of orchestrator.Event
//	GET  /journal                                     what others told: a list of orchestrator.JournalEntry
//	GET  /logs?node=n1&stream=&tail=50&since=&follow= a stream of orchestrator.Line
//	POST /nodes/start|stop|restart                    {"nodes": ["n1"]}
//	POST /nodes/kill                                  {"nodes": ["n1"], "signal": "KILL"}
//	POST /down                                        waits until nothing is left
//
// A stream is NDJSON, one frame a line: {"item": …} for each item, then exactly
// one {"end": true} or {"error": …}. One that stops without either was cut off,
// which the client reports instead of taking it for the end.
//
// # Errors
//
// An error crosses the wire with its text, its hint, and the names of all the
// sentinels that it matches; SpecError and ClusterError cross whole. So
// errors.Is, errors.As and hints say the same on both sides.
//
// # One supervisor per cluster
//
// [Listen] holds a lock beside the socket for as long as it is served. The
// kernel gives the lock up with the process, however it dies; with the lock
// held, a socket that is already there is known to be stale and is removed.
// "Dial, and remove the socket when nobody answers" would let two supervisors
// that start at once remove each other's.
//
// # Threads
//
// [Serve] runs one goroutine that accepts and, as net/http does, one for each
// connection; it returns when all have ended. [Client] starts none.
package control
