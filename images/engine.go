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

// Engine is what this package needs of a container engine.
type Engine interface {
	// Image describes an image that the engine has, or fails with [ErrNotFound].
	Image(ctx context.Context, ref string) (Info, error)
	// Pull fetches ref from its registry, writing plain lines to progress. It
	// fails with [ErrNotFound] or [ErrNoRegistry].
	Pull(ctx context.Context, ref string, progress io.Writer) error
	// Build builds an image and returns its ID. The output of its steps goes to
	// progress.
	Build(ctx context.Context, b Build, progress io.Writer) (id string, err error)
	// Import makes an image of a root file system in a tar stream and returns
	// its ID.
	Import(ctx context.Context, rootfs io.Reader, imp Import) (id string, err error)
	// Start starts a container of an image, in which commands make another image. It
	// is gone after Close, and when this process ends, however that ends.
	Start(ctx context.Context, spec WorkshopSpec) (Workshop, error)
}

// WorkshopSpec says what a [Workshop] starts from.
type WorkshopSpec struct {
	Image   Info // an image that exists
	Network bool // its commands reach the network
}

// Workshop is a container in which an image is made. Its methods are not called at
// once.
type Workshop interface {
	// Write extracts a tar stream into a folder that exists.
	Write(ctx context.Context, dir string, archive io.Reader) error
	// Read returns a folder as a tar stream, whose paths begin with the folder's name.
	Read(ctx context.Context, path string) (io.ReadCloser, error)
	// Run runs a command to its end. Its environment is added to the image's, and
	// is kept nowhere.
	Run(ctx context.Context, c Command, stdout, stderr io.Writer) (exitCode int, err error)
	// Commit makes an image of what the container holds, as the image that it started
	// from with these changes, and returns its ID.
	Commit(ctx context.Context, c Commit) (id string, err error)
	// Close removes the container.
	Close() error
}

// Command is a command of a [Workshop].
type Command struct {
	Args []string
	Env  []string
	User string // "1000:1000"
	Dir  string
}

// Commit is what a [Workshop] becomes.
type Commit struct {
	Ref        string
	Env        []string // over the image's own
	User       string
	WorkingDir string
	Labels     map[string]string
}

// Info describes an image.
type Info struct {
	ID         string // "sha256:…"
	Arch       string // the processor that it is for, as Go names it: "amd64"
	Labels     map[string]string
	Env        []string
	Entrypoint []string
	Cmd        []string
	User       string
	WorkingDir string
}

// Build is one image build.
type Build struct {
	Context    io.Reader // a tar stream
	Dockerfile string    // its path in the context
	Tags       []string
	Args       map[string]string
	Target     string // the stage to build; "": the last one
	Labels     map[string]string
	NoNetwork  bool // run the steps without any network
}

// Import is one import of a root file system.
type Import struct {
	Ref     string
	Changes []string // Dockerfile instructions such as "ENV LANG=C.UTF-8"
}
