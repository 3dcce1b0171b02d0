// Package build makes the images that the nodes of a spec run.
//
//	Spec ──► Detect     what kind of source is it, and does every setting apply to it?
//	  │
//	  └────► Prepare ──► recipes     one for each different build that the nodes require
//	                       │           (recipe.go)
//	                       ▼
//	                    images.Resolve ──► Spec with images, environments, commands
//	                       │
//	                       ▼
//	                    is it a release?  (recognise_release.go)
//
// Package images builds one image. This package decides which images a spec needs, passes the
// settings of the spec to each build, and reads from the result what the nodes' containers need
// to know: the environment of the image, and the command that starts its release.
//
// # Threads
//
// None that outlives a call.
package build
