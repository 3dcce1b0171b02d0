// Package enginetest is an engine in memory that behaves, for tests without
// Docker, and the contract that holds it to what Docker does.
//
//	your test ─► orchestrator.Cluster ─► enginetest.Engine
//	                                        │ a container is a Go function (Program):
//	                                        │ it prints, waits for signals, exits
//	                                        ▼
//	             events, logs, states: in the order and framing of the real one
//
// The event sequences are those that were measured on a real engine: an exit
// is `die`; a stop is `kill` [`kill`] `die` `stop`; a forced removal is `kill`
// `die` `destroy`; out of memory is `oom` `die`. Events are replayed from a ring
// of 256. Package contract runs on this engine and on Docker; where the two differ,
// one of them is wrong.
//
// What Exec and Exec run is a Go function too ([Engine.Command]). Files are
// kept by their paths, those in a volume over the lives of containers.
//
// What happens from outside has its own methods ([Engine.ExternalStop],
// [Engine.ExternalKill], …), and so have an engine's failures
// ([Engine.FailNext], [Engine.DropEvents], [Engine.BreakStreams]).
//
// Time is package time's: inside a testing/synctest bubble it is the bubble's.
//
// # Threads
//
// One goroutine for each running container runs its program, and ends with it;
// one for each stop waits for the exit or the grace; a command has one, and one more
// for its signals; one copies what a first process reads, and ends with the input.
// Everything else runs on the caller's, under one mutex that is never held while
// waiting. A program that never returns keeps its goroutine: it should heed its
// context.
package enginetest
