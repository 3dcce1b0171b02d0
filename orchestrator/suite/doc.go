// Package suite lets the tests of an ExUnit suite break their cluster on purpose.
//
//	suite's VM                                   this process
//	test ─► module Beamyard                      erldist.Conn, as beamyard@beamyard.invalid
//	          GenServer.call({:beamyard, node}, request) ─► Serve ─► Server.Answer
//	                                                                   │ decode: terms to requests
//	                            {:ok, value} or {:error, message} ◄─── ┤
//	                                                                   ├─► Controller: kill, pause, stop, output
//	                                                                   └─► Injector: partition, blip, slow, heal
//
// [Module] is the source of the Elixir modules Beamyard and Beamyard.Case, and [Install] compiles
// and loads it in the suite's VM, before Mix. The project needs no package for them, and its build
// does not change. A project that has a module Beamyard itself keeps it, and gets a message.
//
// # Requests
//
// A request is a tuple: its name, its arguments, and last its options as a map. Nodes are names
// (<<"n1">>, n1, 'app@n1.demo.test'), roles, or all nodes on a host (<<"@host:a">>), times are
// milliseconds.
//
//	{partition, [[Node]], #{how => drop | reset | disconnect, hard => boolean(), for => Ms, wait => boolean()}}  the fault's ID
//	{slow, [Node | {From, To}], #{loss, duplicate, corrupt, reorder => Percent, rate => BitsPerSecond,
//	                              latency, jitter, for => Ms}}                                      the fault's ID
//	{squeeze, [Node], #{memory => Bytes, cpus => Number, full => [Folder], for => Ms}}              the fault's ID
//	{clock, [Node], #{bump, strobe => Ms, drift => Number, for => Ms}}                              the fault's ID
//	{dns, [Node], #{answers => none | stale, peers => [Node], for => Ms}}                           the fault's ID
//	{blip, [[Node]]}                               [] is every pair; the number of connections reset
//	{heal, [ID]}                                   [] is all; {IDs, Ready}
//	faults                                         [#{id, kind, text, ends_in}]
//	{crash, Node, How}                             How is kill, halt, abort, slogan or oom
//	{stop, Node}, {pause, Node, #{wait => boolean()}}
//	{start, Node}, {restart, Node}, {unpause, Node}  Ready
//	{await_mesh, #{timeout => Ms}}                 Ready
//	{need, N}                                      at least N nodes run; Ready
//	nodes                                          [#{name, node, state, paused, peers, url}]
//	{output, Node, N}                              the last N lines
//	{undo, {fault, ID} | {node, Node}}             Ready
//	{report, Test}                                 #{text, evidence}
//
// Ready is the list of the nodes that are Ready, by their full names. A request that injects
// a fault returns when the nodes have noticed it, unless wait is false. One that ends a fault returns
// when the mesh is whole again, unless something other than Beamyard connects the nodes.
//
// # What a partition does to the suite's VM
//
// The rules of a fault apply between nodes. The suite's VM is not a node, so it stays connected to
// all of them; only a hard fault cuts nodes off from it. Since OTP 25, global would disconnect
// it from one side of a partition: its own prevent_overlapping_partitions is false.
//
// # Threads
//
// [Server.Serve] has one goroutine more, which answers pings, and ends with it. [Server.Answer] is
// safe for concurrent use; [erldist.Conn.Serve] calls it.
package suite
