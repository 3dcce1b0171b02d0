package images

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// Options configure [Resolve]. The zero value works.
type Options struct {
	// Base of a Mix project: "auto" (default), a Debian suite, or a reference.
	Base string
	// MixEnv is MIX_ENV at compile time. Default: "dev" for a Mix project. A Dockerfile
	// that declares ARG MIX_ENV receives it if it is not "".
	MixEnv string
	// Release also makes a `mix release` of a Mix project: see [ReleaseScript].
	Release bool
	// ReleaseName selects a release of a project that defines several. Default: the only
	// one, or the project's default release.
	ReleaseName string
	// Env is added to the environment of the commands that build a Mix project, beside
	// MIX_ENV.
	Env map[string]string
	// Secrets are the keys of Env whose values the image must not contain.
	Secrets []string
	// Redact removes the values of secrets from the output of a build. Nil disables it.
	Redact func(text string) string
	// Suite requires the image to contain the project's ExUnit tests. If the project has
	// no tests, or its image would not contain them, Resolve returns a [SourceError].
	Suite bool
	// Packages are Debian packages added to a Mix project's base.
	Packages Packages
	// Note is called with messages for the user about a new image. Nil: they go to Progress.
	Note func(text string)
	// Progress receives the output of pulls and builds. Nil discards it.
	Progress io.Writer
}

// Image is an existing image.
type Image struct {
	ID   string // "sha256:…"
	Ref  string // name of the image
	Kind Kind   // kind of the source
	App  string // OTP application of a Mix project; "" if unknown
	// Boot is [BootDirect], or why the nodes of a Mix project start with `mix run`; "" for
	// other images.
	Boot  string
	Built bool // this call made it
}

// Resolve returns the image of a source, and makes it if it does not exist yet. Errors:
// [BuildError], [PackagesError], [SourceError], [NoImageError], and those of the engine.
func Resolve(ctx context.Context, eng Engine, src Source, o Options) (Image, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	switch src.Kind {
	case Reference:
		info, pulled, err := ensure(ctx, eng, src.Ref, o.Progress)
		if err != nil {
			return Image{}, err
		}
		return Image{ID: info.ID, Ref: src.Ref, Built: pulled}, nil
	case Debian:
		info, made, err := ensureDebian(ctx, eng, src, o.Progress)
		if err != nil {
			return Image{}, err
		}
		return Image{ID: info.ID, Ref: debianRef(src), Kind: Debian, Built: made}, nil
	case Dockerfile:
		return resolveDockerfile(ctx, eng, src, o)
	case Mix:
		if o.MixEnv == "" {
			o.MixEnv = "dev"
		}
		return resolveMix(ctx, eng, src, o)
	}
	return Image{}, fmt.Errorf("unknown kind of source %d", src.Kind)
}

// String returns the name of the kind, as in labels.
func (k Kind) String() string {
	switch k {
	case Reference:
		return "reference"
	case Mix:
		return "mix"
	case Dockerfile:
		return "dockerfile"
	case Debian:
		return "debian"
	}
	return fmt.Sprintf("kind %d", int(k))
}

func resolveDockerfile(ctx context.Context, eng Engine, src Source, o Options) (Image, error) {
	file := src.file()
	text, err := os.ReadFile(file)
	if err != nil {
		return Image{}, fmt.Errorf("read Dockerfile: %w", err)
	}
	parsed := parseDockerfile(string(text))
	if err := parsed.check(file, src.Target, src.Args); err != nil {
		return Image{}, err
	}
	args := maps.Clone(src.Args)
	if _, given := args["MIX_ENV"]; !given && o.MixEnv != "" && parsed.declares("MIX_ENV") {
		if args == nil {
			args = map[string]string{}
		}
		args["MIX_ENV"] = o.MixEnv
	}
	name, err := filepath.Rel(src.Dir, file)
	if name = filepath.ToSlash(name); err != nil || strings.HasPrefix(name, "../") {
		name = generated // a Dockerfile outside the context is added to it
	}
	r := recipe{
		src: src, dockerfile: name, extra: map[string][]byte{name: text}, target: src.Target,
		args: args, labels: map[string]string{imageLabel: src.Kind.String()}, progress: o.Progress,
	}
	for _, ref := range parsed.bases(src.Target, args) {
		base, _, err := ensure(ctx, eng, ref, o.Progress)
		if err != nil {
			return Image{}, fmt.Errorf("build %s: %w", src.Dir, err)
		}
		r.bases = append(r.bases, base.ID)
	}
	r.app = latestApp(src.Dir)
	image, err := build(ctx, eng, r)
	if err == nil && o.Suite {
		err = suiteIn(ctx, eng, src, image)
	}
	return image, err
}

// generated is the name, in the context, of a Dockerfile that lies outside of it.
const generated = ".beamyard.Dockerfile"

// imageLabel marks the images that this package makes, with their kind.
const imageLabel = "beamyard.image"
