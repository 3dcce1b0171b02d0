// Package ui serves the page of clusters: who sees whom, what happens, what nodes print, and
// buttons that do what commands do.
//
//	browser ── GET /?token= ──► guard ──► cookie            page/ (HTML, CSS, ES modules, embedded)
//	   │                          │
//	   ├── GET  /c/demo/stream ───┼──► feed of demo ◄── watch ◄── Cluster: status, events, journal,
//	   │   one per browser        │      board: a ring of messages,      health, lines
//	   │                          │      and what a newcomer gets first
//	   └── POST /c/demo/do/kill ──┴──► plan (pure) ──► command, and what it does ──► Cluster, Injector
//
// A page is served by the supervisor of a cluster, or by a command that shows what it finds: see
// [Source]. Package orchestrator/ui/script writes what was done as a test.
//
// # The stream
//
// There is one feed for each cluster that is watched, however many browsers watch it. It begins
// with the first browser, and ends ten seconds after the last one has left. What it learns becomes
// messages of Server-Sent Events in a ring that is bounded by their number and their bytes. A
// browser reads the ring at its own pace. One that falls behind is cut off and connects again, with
// the ID of the last message that it has. If that is no longer in the ring, it gets a snapshot.
//
// A snapshot's messages have no ID; the message "live" ends it, and has one. So a snapshot that
// breaks half way begins anew. IDs are BOOT-SEQ: BOOT is another one for each feed.
//
// The messages are hello, status, health, pairs, happened, journal, sample, lines, gone and live:
// see messages.go.
//
// # Who may
//
// Other users of the machine reach its loopback addresses too. [Server.URL] has a token, which is
// valid once and becomes a cookie. Requests for names of other hosts are refused, against DNS
// rebinding; requests from other sites, by their Origin. State changes by POST alone. Every payload
// passes a mask of the cluster's secrets.
//
// The URL's host is localhost: cookies ignore ports, and the addresses of nodes that the page shows
// are at 127.0.0.1, where the nodes' own pages would receive the cookie.
//
// # Threads
//
//   - [Server.Serve] runs one goroutine for each address that accepts, as net/http does one for each
//     connection, and returns when all have ended.
//   - A feed has one goroutine that opens the cluster, again and again, and while it is open one
//     each for its status, events, journal, health and lines, and one that sends lines in batches.
//     They end with the feed.
//   - The board is locked for as long as a message is added or copied. Nothing waits under its lock.
//
// # Sources
//
// HTML Living Standard, 9.2 Server-sent events; RFC 6265bis, SameSite and ports; Fetch metadata.
package ui
