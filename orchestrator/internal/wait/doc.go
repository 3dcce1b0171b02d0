// Package wait has what waiting in several packages needs: a sleep that a context ends, and
// a look at a channel.
//
// # Threads
//
// None.
package wait
