// Package doctor looks at everything that could keep a cluster from running on
// a machine and its engine, before it does.
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
// Every judge is a pure function over facts, with a table of its own in the
// tests; what asks this machine or the engine stands apart from it. A check that
// crashes is a failed check.
//
// # The helper
//
// What only the inside of a container shows is looked at from there, by this
// very program: its file is imported as an image that holds nothing else, tagged
// with its hash. That works where the program is static; one that is not is put
// on a base image that the engine has, and where it has none the checks that
// need the helper say so. It runs on the engine's default bridge with NET_ADMIN
// and one mounted file, and where an engine refuses one of those without it, to
// learn which. It is removed when it has answered, ends by itself after 20 s, and
// the next examination removes what one that was killed left. The image stays.
//
// # Threads
//
//   - one goroutine for each of the facts that several checks want (containers,
//     networks, registry, helper), ended by its own deadline.
//   - one for each check, ended by its own.
//
// [Examine] returns after all of them.
package doctor
