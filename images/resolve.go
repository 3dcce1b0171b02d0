package images

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options of [Resolve]. The zero value works.
type Options struct {
	// Base of a Mix project: "auto" (default), a Debian suite, or a reference.
	Base string
	// MixEnv is MIX_ENV while it compiles. Default "dev".
	MixEnv string
	// Release makes a `mix release` of a Mix project, too: see [ReleaseScript].
	Release bool
	// ReleaseName is the release of a project that defines several. Default: the
	// only one, or its default.
	ReleaseName string
	// Env is the environment of the commands that build a Mix project, beside MIX_ENV.
	Env map[string]string
	// Secrets are the keys of Env whose values the image should not hold.
	Secrets []string
	// Redact takes the values of secrets out of what a build prints. Nil: nothing is.
	Redact func(text string) string
	// Packages of Debian beside those of a Mix project's base.
	Packages Packages
	// Note is called with what people should know of an image that is made. Nil: it
	// goes to Progress.
	Note func(text string)
	// Progress gets the lines of pulls and builds. Nil: dropped.
	Progress io.Writer
}

// Image is an image that exists.
type Image struct {
	ID    string // "sha256:…"
	Ref   string // its name
	Kind  Kind   // of the source
	App   string // the OTP application of a Mix project; "" where it is not known
	Built bool   // it was made just now
}

// Resolve makes the image of a source, or finds that it is there already.
// Errors: [BuildError], [PackagesError], [SourceError], [NoImageError], and
// those of the engine.
func Resolve(ctx context.Context, eng Engine, src Source, o Options) (Image, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.MixEnv == "" {
		o.MixEnv = "dev"
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
		return resolveMix(ctx, eng, src, o)
	}
	return Image{}, fmt.Errorf("unknown kind of source %d", src.Kind)
}

// String is the kind's name, as in labels.
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
	text, err := os.ReadFile(filepath.Join(src.Dir, "Dockerfile"))
	if err != nil {
		return Image{}, fmt.Errorf("read Dockerfile: %w", err)
	}
	r := recipe{
		src: src, dockerfile: "Dockerfile", extra: map[string][]byte{"Dockerfile": text},
		args: map[string]string{"MIX_ENV": o.MixEnv}, labels: map[string]string{imageLabel: src.Kind.String()}, progress: o.Progress,
	}
	for _, ref := range dockerfileBases(string(text)) {
		base, _, err := ensure(ctx, eng, ref, o.Progress)
		if err != nil {
			return Image{}, fmt.Errorf("build %s: %w", src.Dir, err)
		}
		r.bases = append(r.bases, base.ID)
	}
	r.app = latestApp(src.Dir)
	return build(ctx, eng, r)
}

// imageLabel marks the images that are made here, with their kind.
const imageLabel = "beamyard.image"

// dockerfileBases are the images that a Dockerfile builds on. Its own stages,
// "scratch", and names that it computes from arguments are not among them: of
// those a change goes unnoticed, as with `docker build` without --pull.
func dockerfileBases(text string) []string {
	var bases, stages []string
	for line := range strings.Lines(text) {
		words := slices.DeleteFunc(strings.Fields(line), func(w string) bool { return strings.HasPrefix(w, "--") })
		if len(words) < 2 || !strings.EqualFold(words[0], "FROM") {
			continue
		}
		ref := words[1]
		if len(words) >= 4 && strings.EqualFold(words[2], "AS") {
			stages = append(stages, strings.ToLower(words[3]))
		}
		if ref != "scratch" && reference.MatchString(ref) && !slices.Contains(stages, ref) && !slices.Contains(bases, ref) {
			bases = append(bases, ref)
		}
	}
	return bases
}
