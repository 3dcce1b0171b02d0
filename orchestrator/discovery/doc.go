// Package discovery works with clusters that it finds by their labels, without a supervisor.
//
//	labels of networks and containers ──► Find, List ──► Cluster
//	                                        │
//	         Eval, Exec, Shell, Send, Logs, Health, Sync, RunSuite, Remove, Prune
//
// Any process that reaches the engine can use it: the spec, the owner and the creation time are
// labels of the cluster's network, and each container has its cluster's and its node's name. A
// running container is reported as Running: without a supervisor, nothing proves that it is Ready.
//
// # By hand
//
// [Eval] queries a node over the distribution. [Shell], [Exec] and [Send] go through the engine
// into the node's container (console.go, shell.sh). They need no supervisor and do not notify
// one: a node that ends during such a call is judged as usual.
//
// # Removal
//
// [Remove] and [Prune] remove the containers and then the network. They list the containers
// again afterwards, because another process may have created one in between. Data that nodes
// keep in named volumes outlives the cluster: see [ListVolumes] and [RemoveVolumes].
//
// # Threads
//
// None that outlives a call. Nodes and containers are asked at once, each on a goroutine that
// ends with the call.
package discovery
