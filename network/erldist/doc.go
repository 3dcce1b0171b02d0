// Package erldist lets Go programs call Erlang and Elixir nodes. It asks EPMD for a
// node's port, completes the distribution handshake as a hidden node with a name that the
// remote node assigns, and calls functions on the node.
//
//	LookupEPMD ──► port            ┌────────────── Conn ──────────────┐
//	                               │                                  │
//	Dialer.Dial ──► handshake ────►│ Call ──┐                         │
//	  name     →                   │ Call ──┼─► outbox ──► write ─────┼──► node: rex
//	        ←  named: our name     │ Call ──┘    ▲  (ticks when idle) │
//	        ←  challenge, its name │             │ signals            │
//	  digest   →                   │ mailboxes ◄─ dispatch ◄── read ◄─┼─── replies, output,
//	        ←  digest              │  replies · one inbox per output  │    monitors, ticks
//	                               └──────────────────────────────────┘
//
// A function called with [Conn.CallOutput] has this end of the connection as its group
// leader, so its output arrives as messages of the Erlang I/O protocol and goes to a
// writer.
//
// Processes of the node call this side with [Conn.Serve], as they call a gen_server:
// GenServer.call({:name, node}, request).
//
// [Conn.Eval] interprets Erlang on the node. [Conn.MonitorNodes] starts a process there
// that sends each nodeup and nodedown. Neither loads code.
//
// A connection costs a node well under a millisecond and does not appear in its nodes().
// The alternatives are erl_call and elixir --rpc-eval inside the container. They cost 40
// and 220 ms per call, and the second joins the mesh.
//
// # Threads
//
// A [Conn] has two goroutines. The reader owns the receiving half, decodes, and delivers
// each message to its mailbox; no mailbox blocks it. The writer owns the sending half and
// writes everything that callers have queued in one system call. Both end with the
// connection, and [Conn.Close] waits for them. Mutexes guard the outbox, the table of
// mailboxes, and each mailbox; none is held during I/O or while another is acquired.
// [Conn.Serve] has 16 goroutines, which handle the requests and end before it returns. A
// [NodeWatcher] has one goroutine, which reads the node's reports until [NodeWatcher.Close].
//
// # Trust
//
// A client that knows the cookie may run anything on the node. The node may send anything
// to the client: decoding is bounded by [Limits] and fuzzed. The protocol neither
// encrypts nor authenticates what follows its handshake; a node with TLS distribution does both
// (set [Dialer].TLS).
//
// # Sources
//
// Erlang/OTP documentation: ERTS, "Distribution Protocol" and "External Term Format";
// STDLIB, "The Erlang I/O Protocol"; Kernel, rpc(3) and kernel(6). Tested with OTP 25 and
// 27.
package erldist
