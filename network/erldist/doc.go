// Package erldist talks to Erlang and Elixir nodes from Go: it asks EPMD for a
// port, completes the distribution handshake as a hidden node whose name the
// other side makes up, and calls functions there.
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
// A function called with [Conn.CallOutput] has us as its group leader, so what
// it prints arrives as messages of the Erlang I/O protocol and goes to a writer.
//
// [Conn.Eval] interprets Erlang on the node, and [Conn.MonitorNodes] has a process
// there push us each nodeup and nodedown; no code is loaded for either.
//
// One connection costs a node well under a millisecond and leaves no trace in
// its nodes(); the alternatives, erl_call or elixir --rpc-eval run inside the
// container, cost 40 and 220 ms for each call, and the second joins the mesh.
//
// # Threads
//
// A [Conn] has two goroutines. The reader owns the receiving half, decodes, and
// hands each message to the mailbox it is addressed to; no mailbox blocks it.
// The writer owns the sending half and writes in one system call whatever the
// callers queued meanwhile. Both end with the connection, and [Conn.Close] waits
// for them. The mutexes guard the outbox, the table of mailboxes, and each
// mailbox; none is held during I/O or while another is taken. A [Sight] has one
// goroutine, which reads what the node tells, until [Sight.Close].
//
// # Trust
//
// Who knows the cookie may run anything on the node, and the node may send us
// anything: decoding is bounded by [Limits] and fuzzed. The protocol neither
// encrypts nor protects what follows its handshake. For TLS distribution, return
// TLS connections from [Dialer].DialContext and set [Dialer].TLS.
//
// # Sources
//
// Erlang/OTP documentation: ERTS, "Distribution Protocol" and "External Term
// Format"; STDLIB, "The Erlang I/O Protocol"; Kernel, rpc(3) and kernel(6). Tried
// with OTP 25 and 27.
package erldist
