// Package images turns a source into an image that exists.
//
//	"."           ─► Mix        ─► evaluated and compiled on a base ─┐
//	"./service"   ─► Dockerfile ─► that Dockerfile               ─┤  tag = hash of
//	"rootfs:trixie" ► Debian    ─► mmdebstrap ─► import          ─┼► all inputs ─► ID
//	"repo/name:1" ─► Reference  ─► local ─► pull                 ─┘
//
// A folder that has both a mix.exs and a Dockerfile is a Mix project: the Dockerfile
// is that of its production, and is built where [Want] asks for it.
//
// [Detect] says what an argument means, [Resolve] makes it so. Both know
// nothing of Docker: what they need of an engine is [Engine], which package
// orchestrator/docker satisfies.
//
// # Tags
//
// A built image is tagged with a hash of everything that goes into it: the
// files (those that .dockerignore leaves), the Dockerfile, the IDs of the images
// that it builds on, and MIX_ENV. A tag that exists is an image that need not be
// built, so an unchanged project costs a walk over its files and two questions:
// 3 ms for a small one.
//
// # Mix projects
//
// mix.exs is evaluated by Mix, in a container of the base that has no network (see
// evaluate.exs): it says what the dependencies are for this MIX_ENV, where paths lead
// out of the folder, and which compilers run. What it said is remembered in the user's
// cache folder, so an unchanged project is not evaluated again. The image is made in the
// same container ([Workshop]) and committed, not by a Dockerfile: so the environment and
// a repository reach the commands and no layer, and a project with many dependencies
// by path costs two commits. Hex and a network are there only for dependencies that come
// over it, which have a layer of their own.
//
// Its answer also says where `mix test` looks for tests ([Options.Suite]), and which
// variables a release's templates read that are not set: `mix release` puts an empty
// text in their place.
//
// Where a tool is missing, or [Packages] asks for more, the project is compiled on a
// base with make, gcc, g++ and git, and copied to the slim one. A project that asks git
// is built beside its repository; the image keeps git's answers, because Mix evaluates
// mix.exs again in each node.
//
// Sources arrive with one old time each and the user's own ID, so that a node boots on
// what was compiled (`mix run --no-compile`), and a `mix compile` in it finds nothing
// to do; seen with Elixir 1.14 and 1.18.
//
// A release is made in the same image on demand, under a link whose path is known
// before the project is evaluated ([ReleaseScript]); Mix stays beside it.
//
// # Bases
//
// "auto" asks for the official Elixir image first, locally and then from its
// registry. Where no registry answers, a root file system is made of Debian
// packages by mmdebstrap (about 20 s, once; by any user, in a user namespace)
// and imported, from the mirror and by the proxy that this machine's apt uses. It
// holds what Phoenix, Mnesia and the usual tools ask of OTP, but no git and no C
// compiler. A suite's name ("bookworm") asks for that root file system directly;
// anything else is a reference.
//
// "rootfs:trixie,rabbitmq-server" is a root file system with those packages and
// what they depend on, instead of Elixir. Its tag is a hash of the list, so newer
// versions of the packages are had by removing the image first.
//
// # Threads
//
// The package starts no goroutine that outlives a call. Everything may be called
// from several goroutines and processes at once: a lock file for each tag, in
// the user's cache folder, keeps two from building the same, and the one that
// waited finds the image there.
//
// # Sources
//
// The context and .dockerignore: https://docs.docker.com/build/concepts/context/.
// What makes Mix compile again: Mix.Compilers.Elixir and Mix.Utils.stale?/2 in
// Elixir's own source. Root file systems: mmdebstrap(1).
package images
