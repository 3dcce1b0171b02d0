// Package compiler runs the container in which a cluster's changed sources are compiled.
//
//	Site ──► Dial ──► Conn ──► OpenSession ──► codesync.Session
//	           │
//	           ▼
//	     BEAMYARD-CLUSTER-compiler: a VM with the project loaded, in which Mix waits
//
// The compiler has the image of the cluster and is not a node. The first sync creates it, it
// stops itself when idle, and its file system is kept: it holds the compiled code of all syncs
// so far, which [Overlay] writes into recreated containers. It has the cluster's owner and
// labels, so whatever removes the cluster removes it too.
//
// # Threads
//
// None that outlives a call, except the two of the connection that [Dial] returns; its caller
// closes it.
package compiler
