// Package supervisor decides what happens to the nodes of one cluster.
//
//	Message, time ──► Step ──► Actions     (pure: no I/O, no lock, no clock)
//	                    │
//	                    └► Snapshot: what users see
//
// Package cluster carries out the actions, and posts a message with each result. Its parts are:
//
//   - lifecycle.go starts and stops nodes.
//   - observe.go handles the engine's reports about nodes.
//   - command.go handles users' requests.
//   - proof.go decides when a node is proven.
//   - forming.go decides when the cluster is up, and when it has failed.
//   - move.go moves nodes away from hosts that do not answer; package relocation says where to.
//   - partition.go and blocked_peers.go keep nodes apart on request.
//   - why.go and doom.go decide when the cause of a problem is looked for.
//   - after.go holds nodes back that start after others.
//
// A node has one state, and at most one operation in progress at the engine. Messages carry the
// incarnation that they are about. Reports about an older incarnation are dropped in one place
// (stale, in member.go).
//
// # How ends are judged
//
// When a signal came from outside, an end is judged after a short delay, because the event of a
// `docker stop` may follow the death. A `docker stop` is respected: the node stays down. A bare
// `docker kill` is a crash, unless an `oom` event follows. An engine that restarts reports a
// `docker stop` for each of its containers. If no node of the cluster survived and the event
// stream then broke, the nodes are started again (engineGone). An engine that was killed stops
// the containers it finds running at its next start, and reports those stops once it is back.
//
// # Disconnected nodes
//
// The wanted state is one set of pairs (partition.go). Changes that a run of a node has not
// received yet are sent once it lives (blocked_peers.go). A disconnected pair is exempt
// wherever the mesh is judged. Disconnections whose groups would overlap are refused if the
// kernel prevents overlapping partitions: global would disconnect uninvolved nodes.
//
// # Threads
//
// None. One goroutine owns a [Supervisor]; what [Supervisor.Snapshot] returns is a copy.
package supervisor
