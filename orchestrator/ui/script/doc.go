// Package script writes what was done to a cluster as a test that does it again.
//
//	journal: requests of users, faults ──► steps ──┬──► Go      a test with package testsupport
//	   with their times                            └──► ExUnit  a test with Beamyard.Case
//
// The journal has no calls, but what they caused: a blip leaves nothing in it, and signals other
// than KILL, and shapes that ExUnit's module has no function for, become comments.
//
// # Threads
//
// None. The functions are pure.
package script
