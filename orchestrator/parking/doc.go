// Package parking keeps clusters that are started in advance, for the next process that needs one.
//
//	test binary, run, test                     lot: a process of its own
//	  Take(key) ────────────── socket ──────────► a parked cluster of that key, to one caller only
//	  cluster.Run(Options.Parked): its nodes run
//	  … Ready: Order(spec) ─────────────────────► parks the next one (package cluster)
//	  … removed, Release ───────────────────────► forgets it
//	  … killed: the connection ends ────────────► removes it
//
// A parked cluster has its network, its addresses, its ports and its running containers, and each
// node's first process waits: see package manifest. So a node runs no code before it is taken, and
// what is left of a start is its VM's boot.
//
// # What fits
//
// A parked cluster is equal to the one that is asked for, or is not taken. [Key] is a hash of the
// prepared spec with the IDs of its images and the contents of its files. Only a generated name
// and a generated cookie are not part of it. Nothing of a container has to be changed when it is
// taken, so what the engine says of it is true. Two things tell a taken cluster: its owner is the
// lot, and its network has the label beamyard.parked.
//
// # Who removes what
//
// The lot owns its clusters and has a watchdog, as each keeper of clusters that must not outlive
// it. Who takes a cluster guards it with its own watchdog; the lot's releases it then. If either
// is killed, nothing is left. A lot removes what nobody took within its idle time, and ends when it
// has neither clusters nor connections.
//
// # Threads
//
//   - Serve accepts connections, on its caller's goroutine.
//   - Each connection has one goroutine, which ends with it.
//   - A cluster that is being parked, or removed, has one goroutine.
//   - One timer's goroutine removes what is too old.
//
// A mutex guards the lists. Serve returns when all have ended.
package parking
