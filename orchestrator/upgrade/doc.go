// Package upgrade replaces the image of a running cluster, node by node, and goes back to the
// image before.
//
//	Prepare ─► builds ─► Run ─► record: a container that is never started
//	                      │
//	         Plan (pure): groups of nodes
//	                      │  for each group:
//	                      │    stop, new image, start     Replace, by the supervisor
//	                      │    wait until Ready           judge (pure)
//	                      │    health of these nodes
//	                      ▼
//	                   Report, or Stopped: which node, why, and how to go back
//
// A node keeps its name, address, host ports and volumes. The rest of its container is new: what
// it wrote outside of volumes is gone.
//
// # What is recorded
//
// The container of an upgraded node has its build in a label (package internal/manifest, Build).
// A container that is never started has the [Record] in a label: what each node ran before, what
// it is to run, and its host ports. It is created of the image before, which is therefore not
// removed by `docker image prune`. So any process can go on with an upgrade, or go back, and a
// supervisor that adopts a cluster whose upgrade was killed finds a node without a container on
// its ports again, with the image before.
//
// The record stays after an upgrade, for [Options].Back, and goes with the way back: only one
// upgrade can be undone. An upgrade that goes on where another one stopped keeps what that one
// would go back to.
//
// # Order
//
// Nodes that do not run well come first: nothing is lost by replacing them. The others follow in
// the order of the spec. Before each group, every node is Ready that was so when the upgrade began,
// or that was replaced: one that crashes meanwhile is waited for.
//
// # Threads
//
// None that outlives a call. [Run] works on its caller's goroutine.
package upgrade
