// Package hint is what a report advises: a text with steps in it. A step is a code with
// arguments, so that each kind of user reads it in the words of the interface at hand.
//
//	                                                  ┌─ String ─► beamyard start demo/n1
//	Newf("start it: %s", Start.On("demo", "n1")) ─► Hint
//	                                                  └─ Render ─► c.Start(t, "n1")
//
// The library makes hints, and writes no command itself. [Step.String] is the one table of
// the command line's commands; package testsupport has the one of Go calls.
//
// # JSON
//
// A hint that is one text is a string, and no hint is "". Any other is a list, in which a
// text is a string, a step is an object, and what is empty is left out:
//
//	["start it: ", {"do": "start", "cluster": "demo", "nodes": ["n1"]}]
//
// # Threads
//
// The package starts no goroutine. Its values are plain data.
package hint
