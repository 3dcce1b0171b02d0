// Package session starts children in a session of their own, which the terminal's Ctrl-C and its
// closing do not reach.
//
// # Threads
//
// None.
package session
