// Package faults injects faults into clusters, lists them and heals them.
//
//	Inject ─► record: a container that is never started; its label is the fault
//	             │
//	          Plan (network/fault): all records ─► rules for each node
//	             │
//	          one helper container enters the network namespaces of all running nodes:
//	          replaces each node's rules in one transaction, reads them back, and ends
//
//	Heal   ─► the same without the healed ones, and then removes their records
//
// The records are the only state, as the labels of the cluster are: so any process that reaches
// the engine can list and heal faults. It needs no supervisor, and no living node: the rules of a
// node end with its network namespace. A fault with an end is healed by the kernel, whoever is
// still alive then. No rule is in force that is not recorded, wherever a process is killed.
//
// To enter several namespaces, the helper sees the processes of the engine's machine, and has
// SYS_ADMIN and SYS_PTRACE beside NET_ADMIN, while it runs. Where an engine refuses that, and for
// a single node, a helper shares the network namespace of its node, and has NET_ADMIN alone.
//
// Resolvers and keepers end by themselves with the last fault, and with their node. Limits are
// the engine's: the supervisor takes them back at the end of a squeeze. A fault that says
// disconnect is only recorded here: the supervisor makes the VMs refuse each other.
//
// [Injector.Crash] and [Injector.ResetConnections] happen once: there is nothing to heal.
//
// # Several hosts
//
// The nodes of each host have helpers of their own there, and all times in a request to a helper are
// by its host's clock. A record is on a manager of the swarm. A fault that concerns a node on a host
// that does not answer is refused. One that is healed then is healed on the other hosts and stays
// recorded: it comes into force there again with the next change, until it is healed once more.
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
