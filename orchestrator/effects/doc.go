// Package effects says what cuts in the network do to a cluster of BEAM nodes: what to expect of a
// fault before the nodes notice it, and what it did and left once it is over.
//
//	fault, what each node's kernel is set to ──► Expect  ──► Expectation
//	faults, journal, health report ───────────► Observe ──► Report
//	status, health report ────────────────────► Relate  ──► Relations: who sees whom
//
// The package is pure. Its caller asks the nodes and waits; [Settle] and [Whole] say for what.
//
// # What OTP does
//
// Silence is noticed by the ticks of net_kernel: a node that hears nothing for net_ticktime takes
// its peer for down, give or take one tick, which is net_ticktime/net_tickintensity. A reset is
// noticed at once.
//
// Since OTP 25 global prevents overlapping partitions: a node that lost another one tells all that
// it still reaches, they pass it on, and each of them disconnects the lost one. So a partition
// without overlap costs no other connection. But a node that would still see both sides is
// disconnected from one of them, or from both: it hears of the loss from each end. Which of the
// connections go depends on which node notices first. See [Innocent]. A fault that closes
// connections closes one after the other, and so has such overlaps for a moment: see [Passing].
// Silence has none.
//
// Mnesia decides at nodedown that the other node is gone, and never merges again when it comes
// back: what was separated for milliseconds stays apart. Silence that ends before nodedown changes
// nothing.
//
// # Threads
//
// None. All functions are safe for concurrent use.
//
// # Sources
//
// kernel(6): net_ticktime, net_tickintensity, dist_auto_connect, prevent_overlapping_partitions;
// global(3); mnesia(3), system events; the handling of lost_connection and remove_connection in
// kernel's global.erl.
package effects
