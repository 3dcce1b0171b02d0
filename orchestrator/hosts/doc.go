// Package hosts makes one engine of the engines of several machines.
//
//	cluster, discovery, … ──► Engine ──┬─► a  (a manager of the swarm)
//	                                   ├─► b
//	                                   └─► c
//
// Nodes stay plain containers, each on the engine of its host. Swarm provides one thing: the
// overlay network that all of them share, and its addresses and names. So a death is still an
// event of an engine, a restart starts the same container, and exec, files, logs and signals
// work as on one machine. A service of Swarm promises none of these.
//
//   - A container is created on the host that [orchestrator.ContainerSpec].Host names; without
//     one, on the host of the container whose namespace it shares, or else on the manager.
//   - A container's ID leads to its host (index.go). Lists, creations and events teach it; for
//     an unknown ID all hosts are asked.
//   - Names are unique on all hosts that answer.
//   - A network is an attachable overlay, created on a manager. A worker lists it only while one
//     of its containers uses it.
//   - An image is copied to a host when a container there needs it and the host lacks it
//     (images.go).
//   - Every time is one of this process's clock (clock.go).
//
// # A host that does not answer
//
// A list then lacks that host's part, and comes with an error that matches
// [orchestrator.ErrHostLost]: see [MissingError]. An operation on one of its containers fails
// with the same error. Everything else goes on. The event stream stays open, reports
// [orchestrator.HostLost], asks the host again until it answers, resumes its events where they
// broke, and reports [orchestrator.HostBack]: the caller then compares lists, as after the break
// of any stream.
//
// What becomes of the nodes of such a host is decided in package relocation.
//
// One host is different: its networks are bridges, and no swarm is needed.
//
// # Threads
//
// An [Engine] is safe for concurrent use. A call that asks several hosts has one goroutine for
// each, which ends with the call. So has an event stream; the caller's functions are called by
// one of them at a time.
package hosts
