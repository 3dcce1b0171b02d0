// Package codesync brings changed source code into the nodes of a running cluster.
//
//	local folder          compiler's VM             every node
//	────────────          ─────────────             ──────────
//	scan ─ compare ─put─► sources
//	                      mix compile
//	                      overlay ───────────ask──► missing files, processes in the way
//	                              ◄──────────────── none refuses
//	                      read ─────────────apply─► files, then modules as one
//	                              ◄──────────────── MD5s: proven
//	                      keep ─► overlay.tar ────► containers that are made later
//
// The compiler is a container of the cluster's own image. Mix waits in its VM with the
// project loaded (compiler.ex). Every VM of an image loads the same in the same order: that
// decides the order of its atoms, and with it the bytes of what it compiles (OTP 26 and
// later). Loading the project from the image's record of a direct boot was tried: it moves
// the loading of Elixir's compiler from the start to the compilation, and saves 7 % of the
// processor time of both. The toolchain, the dependencies and the settings are
// therefore those that built the image, no node compiles anything, and code that does not
// compile reaches no node.
//
// The overlay is every file in the compiler's tree that differs from the image, including
// sources and Mix's manifests. It is written to every node's disk. A node's tree thus
// equals the compiler's, and a node that restarts runs the synced code.
//
// On a node, OTP's own interpreter evaluates two expressions (ask.erl and apply.erl, both
// after shared.erl). No Beamyard code is loaded for that.
//
// # Why files travel by RPC
//
// The engine's archive endpoint takes about 30 ms per container. The distribution
// connection to a running node is open anyway, and a few files take 1 ms over it. A node
// that is not running, or may not write its own files, gets the whole overlay from the
// engine. Both ways work with a remote engine; a bind mount would not.
//
// # Two phases
//
// The VM keeps two versions of a module. Loading a third kills processes that still run
// the first. So all nodes are asked before any node is changed. Code is loaded with
// code:atomic_load/1: all modules of a node, or none. There is no transaction across
// nodes: [NodesError] names each node that fails in the second phase, and another sync
// completes it.
//
// # What is proven
//
// Each node compares every module of the project's applications with the compiler's: the
// MD5 of the loaded code, or the MD5 of the file for a module that is not loaded. Such a
// file is read once per connection, and again when a sync writes it.
//
// # What is not done
//
// code_change/3 is not called; Phoenix's reloader does not call it either. If new code
// expects another shape of a process's state, use --restart. Symbolic links in the
// project's folder stay as they are in the image.
//
// # Threads
//
// No goroutine outlives a call. Within a call, nodes are asked and changed concurrently.
// A [Session] runs one sync at a time. A lock in the compiler's VM excludes other
// sessions, including those of other processes. The lock is released when its holder's
// connection is closed and the holder's compilation has ended, because Mix continues
// after a sync is interrupted. If the compilation has not ended after 10 s, the VM is
// terminated.
//
// # Sources
//
// Erlang/OTP documentation: KERNEL, code(3), atomic_load/1 and soft_purge/1; ERTS,
// erlang(3), check_process_code/2. Mix of Elixir 1.14 and 1.18:
// Mix.Compilers.Elixir, Mix.Compilers.Erlang.
package codesync
