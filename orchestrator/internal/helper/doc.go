// Package helper makes the image of helper containers: containers in which this program itself
// runs, on the engine's machine.
//
//	this program ──► Image ──► beamyard/helper:HASH
//	                            static: nothing else is in it
//	                            dynamic: on a base that the engine has
//
// So a helper needs no tool in any image, and nothing from a registry.
//
// # Threads
//
// There are no goroutines.
package helper
