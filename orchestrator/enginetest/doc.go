// Package enginetest is an in-memory engine that behaves like a real one, for tests
// without Docker. Its contract suite verifies it against Docker.
//
//	your test ─► cluster.Cluster ─► enginetest.Engine
//	                                        │ a container is a Go function (Program):
//	                                        │ it prints, waits for signals, exits
//	                                        ▼
//	             events, logs, states: in the order of the real one
//
// The event sequences were measured on a real engine: an exit is `die`; a stop is `kill`
// [`kill`] `die` `stop`; a forced removal is `kill` `die` `destroy`; out of memory is
// `oom` `die`. Events are replayed from a ring of 256. Package contract runs on this
// engine and on Docker; if the two differ, one of them is wrong.
//
// A command that runs with Exec is a Go function too ([Engine.Command]). Files are kept
// by path. Files in a volume are kept when their container is removed.
//
// Separate methods simulate what happens from outside ([Engine.ExternalStop],
// [Engine.ExternalKill], …) and the failures of an engine ([Engine.FailNext],
// [Engine.DropEvents], [Engine.BreakStreams]).
//
// Time is package time's: in a testing/synctest bubble it is the bubble's fake clock.
//
// # Threads
//
// One goroutine per running container runs its program, and ends with it. One goroutine
// per stop waits for the exit or the stop timeout. A command has one goroutine, and one
// more for its signals. One goroutine copies what a container's main process reads from
// stdin, and ends with the input. Everything else runs on the caller's goroutine, under
// one mutex that is never held while waiting. A program that never returns keeps its
// goroutine; programs should return when their context is done.
package enginetest
