// Package history records the operations of concurrent clients on a cluster and their answers,
// and checks afterwards whether the answers were right.
//
//	clients ── Invoke ──► OK · Failed · Unknown ──► History ──► Linearizable  one order explains all answers
//	cluster ── Faults ──────────────────────────────► │    └──► NothingLost   acknowledged writes are there
//	                                                  ▼
//	nodes ──── Views ─────────────────────────────────────────► Unique        at most one holder of a name
//	                                                       └──► Converges     all nodes agree
//
// A test starts clients, breaks the cluster, heals it, and checks:
//
//	c := testsupport.Start(t, "../shop")
//	h := history.New(c)
//	// … in each client:
//	history.Do(h, "client 1", history.Write{Key: "x", Value: 7}, func() (any, error) { … })
//	// … meanwhile:
//	c.Partition(t, []string{"n1"})
//	c.Heal(t)
//	// … at the end:
//	h.Linearizable(t, history.Register(nil))
//
// # Outcomes
//
// An operation is ok, failed or unknown. Failed means that it certainly did not happen.
// Unknown means that it may have happened, or may still happen: the client ran into a
// timeout, a nodedown or a lost connection. An operation that was never finished is
// unknown, too. No check takes unknown for ok, or for failed.
//
// A check without anything to judge fails, because a test whose clients never succeeded
// proves nothing. A check that cannot decide fails as well, and says so.
//
// # Faults
//
// An error names the operations that it is about, their clients and times, and the faults
// that were in force. A [FaultLog] knows the faults; *testsupport.Cluster is one.
// [History.Fault] adds others. [History.Linearizable] draws them into its picture.
//
// # Dependencies
//
// github.com/anishathalye/porcupine decides linearizability and draws the picture. The
// search is hard, and porcupine is the maintained implementation in Go, with a permissive
// licence and without dependencies of its own.
//
// # Threads
//
// A [History] is safe for concurrent use; a mutex guards it. [Unique] and [Converges] read
// all nodes at once, with one goroutine per node, and wait for them. Porcupine runs its
// search in one goroutine, which ends with the check.
package history
