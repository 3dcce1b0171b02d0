package images

import (
	"context"
	"errors"
	"io"
)

// Errors of an [Engine], matched with errors.Is.
var (
	ErrNotFound   = errors.New("image not found")
	ErrNoRegistry = errors.New("no registry answers")
)

// Engine is the part of a container engine that this package needs.
type Engine interface {
	// Image describes an image on the engine. If it is missing, Image fails with
	// [ErrNotFound].
	Image(ctx context.Context, ref string) (Info, error)
	// Pull fetches ref from its registry and writes plain lines to progress. It fails
	// with [ErrNotFound] or [ErrNoRegistry].
	Pull(ctx context.Context, ref string, progress io.Writer) error
	// Build builds an image and returns its ID. It writes the output of the build steps
	// to progress.
	Build(ctx context.Context, b Build, progress io.Writer) (id string, err error)
	// Import makes an image from a root file system in a tar stream and returns its ID.
	Import(ctx context.Context, rootfs io.Reader, imp Import) (id string, err error)
	// Start starts a container of an image, in which commands make another image. The
	// container is removed after Close, and also when this process ends, whatever the
	// cause.
	Start(ctx context.Context, spec WorkshopSpec) (Workshop, error)
}

// WorkshopSpec configures a [Workshop].
type WorkshopSpec struct {
	Image   Info // must exist
	Network bool // commands can reach the network
}

// Workshop is a container in which an image is made. Its methods are not safe for
// concurrent use.
type Workshop interface {
	// Write extracts a tar stream into an existing folder.
	Write(ctx context.Context, dir string, archive io.Reader) error
	// Read returns a folder, or a file, as a tar stream. Paths in it begin with its name.
	Read(ctx context.Context, path string) (io.ReadCloser, error)
	// Run runs a command and waits for it to exit. The command's environment is added to
	// the image's for this run only, and is not stored.
	Run(ctx context.Context, c Command, stdout, stderr io.Writer) (exitCode int, err error)
	// Commit makes an image of the container's contents and returns its ID. The image has
	// the configuration of the base image with the changes of c.
	Commit(ctx context.Context, c Commit) (id string, err error)
	// Close removes the container.
	Close() error
}

// Command is a command that runs in a [Workshop].
type Command struct {
	Args []string
	Env  []string
	User string // "1000:1000"
	Dir  string
}

// Commit configures the image that a [Workshop] makes.
type Commit struct {
	Ref        string
	Env        []string // added to the image's own; overrides it
	User       string
	WorkingDir string
	Labels     map[string]string
}

// Info describes an image.
type Info struct {
	ID         string // "sha256:…"
	Arch       string // the processor architecture, as in GOARCH: "amd64"
	Labels     map[string]string
	Env        []string
	Entrypoint []string
	Cmd        []string
	User       string
	WorkingDir string
}

// Build describes one image build.
type Build struct {
	Context    io.Reader // a tar stream
	Dockerfile string    // path in the context
	Tags       []string
	Args       map[string]string
	Target     string // the stage to build; "" is the last one
	Labels     map[string]string
	NoNetwork  bool // run the steps without a network
}

// Import describes one import of a root file system.
type Import struct {
	Ref     string
	Changes []string // Dockerfile instructions such as "ENV LANG=C.UTF-8"
}
