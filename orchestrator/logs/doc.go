// Package logs keeps the last lines of what a node prints.
//
//	engine's log stream ──► frames ──► lines ──► rings ──► Output ──► Read, Tail, Follow
//	   (one follow for         │          │      (one per stream)
//	    each run)              │          └ a line over 256 KiB is cut and marked
//	                           └ a broken stream is resumed without loss or repetition
//
// The source is the engine's logs API with timestamps, never attach: a slow reader of an attached
// stream blocks the container. The rings are filled at full speed and have numbered lines. A slow
// reader sees a gap in the numbers and holds up nobody.
//
// # Threads
//
// A [Node]'s Follow runs on its caller's goroutine, one at a time, and is the only writer of the
// rings. All methods of [Output] are safe for concurrent use. The package starts no goroutine.
package logs
