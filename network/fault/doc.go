// Package fault detects which network faults a kernel can inject.
//
//	Features() ─netlink─► this network namespace: nftables   cuts, losses
//	                                              netem      delay, jitter, loss
//	                                              tbf        rate
//
// A kernel reveals whether it has a feature only when the feature is used, and using it
// requires CAP_NET_ADMIN. So each feature is applied once to the loopback interface of
// the caller's network namespace, and removed again. Run it in a namespace that has no
// other users, such as that of a helper container.
//
// # Threads
//
// There are no goroutines. [Features] uses the network namespace of the calling thread.
//
// # Sources
//
// rtnetlink(7), tc-netem(8), tc-tbf(8), nft(8).
package fault
