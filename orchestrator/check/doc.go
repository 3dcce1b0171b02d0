// Package check judges whether a cluster is as it should be, from the answers of its nodes.
//
//	"unique: MyApp.names()" ─► Parse ─► Check
//	                                      │ Elixir
//	                     Holds: ask.Everyone, on all nodes at once
//	                                      │ answers
//	                                    Judge ─► nil, or which node said what
//
// There are three kinds of checks:
//
//   - "unique: EXPR": EXPR returns names with their processes, as a map or as a list of
//     {name, pid}. No name has more than one process, over all nodes. A node may return all
//     names that it knows, or only those of its own processes.
//   - "agree: EXPR": EXPR returns the same value on all nodes.
//   - "EXPR": EXPR is true on all nodes.
//
// Judge is pure. A check judges one moment: a caller that expects it to hold later asks again.
//
// # Threads
//
// The package starts no goroutine; package ask starts one for each node.
package check
