// Package target selects nodes of a cluster by what a user writes.
//
//	"n1" "worker" "n*" "@minority" "@leader:MyApp.leader()"
//	    │
//	  Split ─► Chooser.Nodes ─► n1 n2, and what was chosen: "@minority is n2"
//	               ▲    ▲
//	       Spec, seed   Leader: asks the nodes
//
// # What can be written
//
//	n1              a node
//	worker          all nodes of a role
//	n*  [nw]?       all nodes, and the nodes of all roles, whose name matches: see path.Match
//	@one            one node at random
//	@minority       the largest minority, at random: 1 of 3, 1 of 4, 2 of 5
//	@majority       the smallest majority, at random: 2 of 3, 3 of 4, 3 of 5
//	@all            all nodes
//	@host:NAME      all nodes on a host of several: @host:a
//	@leader:EXPR    the node that EXPR returns on the nodes: its name, its short name, one of its
//	                pids, or {name, node}; nil and :undefined mean that there is none
//
// In a list, "n1,@leader:EXPR", and in a pair, "n1:@leader:EXPR", EXPR goes on to the end of the
// argument, whatever it contains. If more is to follow, EXPR is in parentheses:
// "@leader:(MyApp.leader(:a, 1)),n2".
//
// # Threads
//
// The package starts no goroutine. A Chooser belongs to one caller.
package target
