// Package doctor checks a machine and its container engine for everything that could keep
// a cluster from running, before the cluster is started.
//
//	Examine ─► begin ─► the engine: who it is, its containers, its networks
//	             │      a registry, asked by the engine
//	             │      a helper container ◄─ this program, as `beamyard probe`
//	             ▼                             limits, kernel features, a mount,
//	           checks, all at once             a port to dial
//	             │  look…: gather               │
//	             ▼                              ▼
//	           judge…(facts) ─► verdict ─► Check{State, Text, Remedy}
//
// Every judge is a pure function of facts, with its own test table. The code that queries
// the machine or the engine is separate. A check that panics is a failed check.
//
// # The helper
//
// Some facts are visible only from inside a container. This program collects them itself:
// its executable is imported as an image that contains nothing else, tagged with its
// hash. That requires a statically linked executable. Otherwise the executable is put on
// a base image that the engine has; if there is no such image, the checks that need the
// helper say so.
//
// The helper runs on the engine's default bridge with NET_ADMIN and one mounted file. If
// an engine refuses one of those, the helper runs without it, to find out which one was
// refused. It is removed when it has answered, and exits by itself after 20 s. If it was
// killed, the next examination removes its container. The image stays.
//
// # Several hosts
//
// [ExamineHosts] asks each engine, and judges its place in the swarm by what the manager lists. What
// passes between hosts is tried, from each to each: a helper on each host connects to the swarm's
// TCP ports of the others' machines, and sends a small and a large message to their helpers over an
// overlay network that is made for it. The network has the MTU of a cluster's. A large message that
// does not come back where small ones do is a path that carries less. UDP ports answer no stranger:
// that 4789/udp is open is what the message over the overlay network proves, and 7946/udp is
// reported as not checked.
//
// # Threads
//
//   - one goroutine for each fact that several checks need (containers, networks,
//     registry, helper), ended by its own deadline.
//   - one goroutine for each check, ended by its own deadline.
//
// [Examine] returns after all of them. [ExamineHosts] has one for each host, and a helper one for
// each target and each connection, which end with it.
package doctor
