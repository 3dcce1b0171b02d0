// Package chaos breaks a cluster at random, by a plan that a seed determines, and proves that it
// comes back.
//
//	seed, kinds, times ─► Plan ─► Schedule ◄─► JSON: saved, and replayed
//	                                 │
//	                               Run ─► each step: begins, lasts, ends; then the time until ready
//	                                 │
//	                        last phase: end everything, wait for Ready and the checks
//	                                 │                    │
//	                               Actor                Report
//	                     Live: Controller, Injector
//
// [Plan] is pure: the same options and nodes give the same schedule. [Runner.Run] plays a schedule
// on an [Actor]; [Live] is that of a real cluster. One fault is in force at a time, or two with
// [Options].AfterHeal: a second one that begins while the nodes recover from the first.
//
// # What a replay repeats
//
// The faults, their targets, their order and their planned times. The machine's own timing
// varies: a step begins late if the one before took longer than planned.
//
// # Restart budgets
//
// After a kill, the cluster's own policy restarts the node. It has a budget: 5 in 10 minutes
// by default. Plan kills no node more often than [Options].Kills within [Options].Window, which
// [PolicyOf] takes from a spec. A node can still be down for good: crashes of its own or earlier
// runs used up its budget, or it has no restart policy. Such a node is started at the end of its
// step, which begins a new budget. If the cluster is stopped when a node fails for good, Live does
// not kill a node whose budget its own kills have used up: the step is missed, and reported so.
//
// # What outlives a process that is killed
//
// Network faults end in the kernel, [Margin] after their planned end. A node that is paused
// stays paused until it is unpaused.
//
// # Threads
//
// Run uses the goroutine of its caller, and one that asks for the leader if Runner.Leader is
// set, which ends before Run returns. A Live belongs to one Run at a time.
package chaos
