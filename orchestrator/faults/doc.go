// Package faults injects network faults into clusters, lists them and heals them.
//
//	Inject ─► record: a container that is never started; its label is the fault
//	             │
//	          Plan (network/fault): all records ─► rules for each node
//	             │
//	          a helper container in the network namespace of each running node:
//	          replaces the node's rules in one transaction, reads them back, and ends
//
//	Heal   ─► the same without the healed ones, and then removes their records
//
// The records are the only state, as the labels of the cluster are: so any process that reaches
// the engine can list and heal faults. It needs no supervisor, and no living node: the rules of a
// node end with its network namespace. A fault with an end is healed by the kernel, whoever is
// still alive then. No rule is in force that is not recorded, wherever a process is killed.
//
// # Two requests at once
//
// Each applies what all records say. After it has, it looks whether the records are still those,
// and otherwise applies them again: the last of several requests leaves what all of them want.
//
// # Threads
//
// None that outlives a call. The nodes are changed at once, each on a goroutine that ends with
// the call.
package faults
