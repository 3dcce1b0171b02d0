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
