// Package fault knows what a kernel can do to break a node's network on purpose.
//
//	Features() ─netlink─► this network namespace: nftables   cuts, losses
//	                                              netem      delay, jitter, loss
//	                                              tbf        rate
//
// A kernel tells what it has only when it is asked to do it, and it asks for
// CAP_NET_ADMIN. So each feature is used once, on the loopback interface of the
// namespace that the caller runs in, and taken back: run it in a namespace that
// nobody else lives in, such as a helper container's.
//
// # Threads
//
// There are no goroutines. [Features] talks to the calling thread's namespace.
//
// # Sources
//
// rtnetlink(7), tc-netem(8), tc-tbf(8), nft(8).
package fault
