// Package codesync brings source code that changed into the nodes of a running
// cluster.
//
//	local folder          compiler's VM             every node
//	────────────          ─────────────             ──────────
//	scan ─ compare ─put─► sources
//	                      mix compile
//	                      overlay ───────────ask──► what it lacks, who is in the way
//	                              ◄──────────────── nobody refuses
//	                      read ─────────────apply─► files, then modules as one
//	                              ◄──────────────── MD5s: proven
//	                      keep ─► overlay.tar ────► containers that are made later
//
// The compiler is a container of the cluster's own image in whose VM Mix waits
// with the project loaded (compiler.ex): the toolchain, the dependencies and the
// settings are those that made the image, no node compiles, and code that does not
// compile reaches none. What differs there from the image, the overlay, is brought
// to every node's disk, sources and Mix's manifests too: a node's tree is the
// compiler's, so a node that starts again runs what was synced.
//
// What a node does are two expressions that OTP's own interpreter evaluates
// (ask.erl, apply.erl, both after shared.erl): nothing of ours is loaded there.
//
// # Why files travel by RPC
//
// The engine's archive endpoint takes some 30 ms for each container, and its
// connection to a node that runs is open anyway: a few files take 1 ms. What does
// not run, or may not write its own files, is given the whole overlay by the
// engine. Both work with an engine elsewhere; a bind mount would not.
//
// # Two phases
//
// The VM keeps two versions of a module: loading a third ends processes that still
// run the first. So all nodes are asked before one is changed. The loading itself
// is code:atomic_load/1, all modules of a node or none. Nodes are not one another's
// transaction: one that fails in the second phase is named ([NodesError]), and
// syncing again brings it to the others.
//
// # What is proven
//
// Each node compares every module of the project's applications with the compiler's:
// the MD5 of the code where it is loaded, that of the file where it is not. Such a
// file is read once over a connection, and again when a sync writes it.
//
// # What is not done
//
// code_change/3 is not called, as Phoenix's reloader does not: a process whose
// state has another form in the new code is for --restart. Links in the project's
// folder are left as the image has them.
//
// # Threads
//
// None that outlives a call. Within one, nodes are asked and changed at once. A
// [Session] is for one sync at a time; several of them, of other processes too,
// are kept apart by a lock in the compiler's VM that goes with its holder's
// connection, and with what that began: Mix goes on after a sync that was
// interrupted. Where it has not ended 10 s later, the VM ends.
//
// # Sources
//
// Erlang/OTP documentation: KERNEL, code(3), atomic_load/1 and soft_purge/1; ERTS,
// erlang(3), check_process_code/2. Mix of Elixir 1.14 and 1.18:
// Mix.Compilers.Elixir, Mix.Compilers.Erlang.
package codesync
