// Package probe talks to running nodes: it proves that a run is Ready, and asks each node which peers it sees.
//
//	Prober.Probe ──► dial ──► Link ──► prover: application, checks, cookie, sockets
//	                                     │
//	                                     └──► Live, Proven, Unproven, Serving, Lost
//	Prober.Sweep   ──► Mesh: the peers that each node sees
//	Prober.Connect ──► Connected: the pairs that were missing
//
// A TCP connection alone proves nothing: on a published port, docker-proxy accepts
// connections even if no process listens behind it. So a node is proven by a distribution
// handshake under its own name with the cluster's cookie, and by what its VM answers.
// Package health judges the answers, here and in the reports of health.
//
// # Threads
//
// Probe runs on its caller's goroutine until its context ends, with a second goroutine that
// forwards the node's reports about its peers. It owns the run's [Link], which others find
// in [Links]. All methods of Links are safe for concurrent use.
package probe
