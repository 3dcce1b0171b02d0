// Package swarm makes machines the members of one swarm, whose overlay networks their clusters
// need, and lets them leave it again.
//
//	Look ──► []Host ──► Init, Join, Leave ──► Plan ──► shown, asked ──► Do ──► engines
//	         (states)   (pure; refuse what      (steps, each with the
//	                     is not safe)            command that does the same)
//
// A [Plan] is complete before anything is changed, so that it can be shown and confirmed. It
// never has a step that touches a service, a task, or a member that is none of the hosts.
//
// One host becomes the manager, the others workers: a swarm with one manager can be changed by
// that one alone, and its overlay networks go on without it. More managers are made with
// `docker node promote`.
//
// # The token
//
// A host joins with the token of a manager, which is a secret. [Do] takes it from one engine and
// gives it to another. A [Token] prints as "[secret]", and engines' errors are freed of it.
//
// # Threads
//
// [Look] asks each host in a goroutine, which ends with the call.
package swarm
