// Package provision makes what a container needs beside itself, the cluster's network and the
// node's volumes, and writes into a container that was just created what its VM needs there: the
// cookie, its certificate, the spec's files, and volumes that it may write to.
// It decides which of two clusters of one name keeps it.
//
//	the container's user, /etc/passwd ──► owner ──► archive (manifest, dist) ──► WriteFiles
//
// # Threads
//
// None. A Writer is safe for concurrent use, if its Retry is.
package provision
