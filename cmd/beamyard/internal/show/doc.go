// Package show makes what commands show on a terminal: text of others with its control
// characters escaped, and a node in a few words.
//
//	a name, a log line, an error ──► Printable, Uncoloured ──► text that moves no cursor
//	orchestrator.NodeStatus, now ──► State, Uptime          ──► "BACKOFF 3/5, next in 6s"
//
// # Threads
//
// None. The functions are pure, and safe for concurrent use.
package show
