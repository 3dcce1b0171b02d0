// Package placement chooses the hosts of nodes.
//
//	host of each node, or "" ──┐
//	room on each host ─────────┴─► Place ─► host of each node
//
// It is pure, and knows nodes by their positions and hosts by their names only.
//
// # Threads
//
// None.
package placement
