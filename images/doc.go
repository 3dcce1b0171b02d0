// Package images turns a source into an image that exists.
//
//	"."           ─► Mix        ─► evaluated and compiled on a base ─┐
//	"./service"   ─► Dockerfile ─► that Dockerfile               ─┤  tag = hash of
//	"rootfs:trixie" ► Debian    ─► mmdebstrap ─► import          ─┼► all inputs ─► ID
//	"repo/name:1" ─► Reference  ─► local ─► pull                 ─┘
//
// A folder that has both a mix.exs and a Dockerfile is a Mix project: the Dockerfile is
// assumed to be for production, and is built only if [Want] asks for it.
//
// [Detect] parses an argument into a source, and [Resolve] makes its image. Neither
// depends on Docker: [Engine] is what they need of an engine, and package
// orchestrator/docker implements it.
//
// # Tags
//
// A built image is tagged with a hash of everything that goes into it: the files (except
// those that .dockerignore excludes), the Dockerfile, the IDs of the images that it
// builds on, and MIX_ENV. If the tag exists, the image is not built again. An unchanged
// project therefore costs a walk over its files and two requests to the engine. The hashes
// of a Mix project's files are kept in the user's cache folder, by what stat(2) says of
// them: inode, size, mode, modification and change time.
//
// # Mix projects
//
// Mix evaluates mix.exs in a container of the base that has no network (see
// evaluate.exs). The result lists the dependencies for this MIX_ENV, the paths that lead
// out of the folder, and the compilers. It is cached in the user's cache folder, and the
// project is evaluated again only if more has changed than the content of code, or if the
// build fails.
//
// The image is made in the same container ([Workshop]) and committed, rather than built
// from a Dockerfile. The environment and a repository are thus available to the commands
// without becoming part of a layer, and a project with many path dependencies costs two
// commits. Hex and a network are available only for dependencies that are fetched over
// the network; these have their own layer.
//
// The result also says where `mix test` looks for tests ([Options.Suite]), and which
// unset variables a release's templates read: `mix release` replaces those with an empty
// string.
//
// If a tool is missing, or [Packages] asks for more, the project is compiled on a base
// with make, gcc, g++ and git, and copied to the slim base. A project that runs git is
// built beside its repository. The image keeps git's output, because Mix evaluates
// mix.exs again in each node.
//
// Sources have one old modification time and the user's own ID, so that a node boots what
// was compiled (`mix run --no-compile`), and a `mix compile` in the node has nothing to
// do. Verified with Elixir 1.14 and 1.18.
//
// What `mix run` would compute at each start is recorded in the image (boot.ex): code paths,
// the compiled mix.exs, the dependencies. A second VM boots from the record, and its state
// must equal that of Mix. The two VMs take about 0.7 s of processor. If only the content of
// code changes, the next image gets the same record. The label beamyard.boot and [Image].Boot
// hold the result.
//
// A build of changed code begins with the layer of dependencies, whose list of sources says
// which of them to write. What remains beside the compilation is a container's start and a
// commit. On fuse-overlayfs and vfs, Docker compares every file of the image with every file of
// the container for a commit, whatever has changed; on overlay2 it reads what has changed.
//
// Mix checks git dependencies by git. In an image without git, a script answers its questions
// from the dependencies' .git folders, so that `mix compile` and `mix test` work there.
//
// A release is made in the same image on demand, under a link whose path is known before
// the project is evaluated ([ReleaseScript]); Mix stays beside it.
//
// # Bases
//
// "auto" uses the official Elixir image, which it looks for locally and then in its
// registry. If no registry answers, mmdebstrap makes a root file system of Debian
// packages (once, in about 20 s; by any user, in a user namespace), which is imported. It
// uses the mirror and the proxy that this machine's apt uses. The root file system
// contains the OTP applications that Phoenix, Mnesia and the usual tools need, but no git
// and no C compiler. The name of a suite ("bookworm") selects that root file system
// directly; any other text is a reference.
//
// "rootfs:trixie,rabbitmq-server" is a root file system with those packages and their
// dependencies, instead of Elixir. Its tag is a hash of the list of packages. To get
// newer versions of the packages, remove the image first.
//
// # Threads
//
// No goroutine outlives a call. All functions are safe for concurrent use by several
// goroutines and processes. A lock file per tag, in the user's cache folder, keeps two
// processes from building the same image: the one that waited finds the image there.
//
// # Sources
//
// The context and .dockerignore: https://docs.docker.com/build/concepts/context/. The
// conditions under which Mix compiles again: Mix.Compilers.Elixir and Mix.Utils.stale?/2
// in Elixir's source. Root file systems: mmdebstrap(1).
package images
