// Package volume lists the volumes of clusters, and copies their data out and in, so that a bug
// that needs data can be replayed somewhere else.
//
//	Export: volumes ─► a helper container that mounts them ─► tar: NODE/VOLUME/path
//	Import: tar ─► for each volume a helper container ─► volume
//
// A helper container is never started: engines read and write the files of a container that does
// not run, those of its volumes included. It is removed at once; one that a killed process left is
// removed by the next call, by `beamyard down` and by `beamyard prune`.
//
// The clusters need not be up, and no supervisor is needed. Owners, modes, times and links are
// kept. What a node writes while it is copied may be torn in the copy: stop the node first, or
// pause it.
//
// # Threads
//
// [Import] has one goroutine for each volume, one after the other, in which the engine reads. None
// outlives the call.
package volume
