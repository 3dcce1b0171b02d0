// Package images turns a source into an image that exists.
//
//	"."           ─► Mix        ─► embedded Dockerfile on a base ─┐
//	"./service"   ─► Dockerfile ─► that Dockerfile               ─┤  tag = hash of
//	"rootfs:trixie" ► Debian    ─► mmdebstrap ─► import          ─┼► all inputs ─► ID
//	"repo/name:1" ─► Reference  ─► local ─► pull                 ─┘
//
// [Detect] says what an argument means, [Resolve] makes it so. Both know
// nothing of Docker: what they need of an engine is [Engine], which package
// orchestrator/docker satisfies.
//
// # Tags
//
// A built image is tagged with a hash of everything that goes into it: the
// files (those that .dockerignore leaves), the Dockerfile, the base image's ID
// and MIX_ENV. A tag that exists is an image that need not be built, so an
// unchanged project costs a walk over its files and two questions.
//
// # Bases
//
// "auto" asks for the official Elixir image first, locally and then from its
// registry. Where no registry answers, a root file system is made of Debian
// packages by mmdebstrap (about 20 s, once) and imported. A suite's name
// ("bookworm") asks for that root file system directly; anything else is a
// reference.
//
// # Concurrency
//
// Everything may be called from several goroutines and processes at once: a
// lock file for each tag keeps two from building the same, and the one that
// waited finds the image there.
package images
