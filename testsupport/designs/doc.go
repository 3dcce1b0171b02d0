// Package designs proves the checks of package history on designs of distributed state that
// are known to be good or bad. The designs are an Elixir project in testdata/designs, and run
// on real nodes through real partitions.
//
//	            a bad design ──► the check reports what it lost, doubled or read wrongly
//	partition ─┤
//	            a good one   ──► the same check passes
//
// Each check has designs that break its promise, and designs that keep it:
//
//	one holder of a name    a table on each node        :global, which resolves conflicts
//	no addition is lost     the last write wins         a CRDT; acknowledged by a majority
//	reads are current       replicated asynchronously   majorities (Attiya, Bar-Noy, Dolev)
//
// # Threads
//
// None: the package has tests only.
package designs
