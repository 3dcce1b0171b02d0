// Package manifest turns a spec into what an engine creates.
//
//	Spec, index of a node ──► Container ──► ContainerSpec: command, environment, labels, ports
//	                     └──► Archive   ──► the files that are written into it
//	                     └──► Attachments, Volumes, Tmpfs, Evidence
//
// It is pure: two calls with the same input return the same result. Only Archive reads
// files: those that the spec names.
//
// # Threads
//
// None.
package manifest
