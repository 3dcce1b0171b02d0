package images

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
	"time"

	"github.com/gofrs/flock"
)

// officialBase is the reference that "auto" looks for first.
const officialBase = "elixir:1.18-otp-27-slim"

// Options of [Resolve]. The zero value works.
type Options struct {
	// Base of a Mix project: "auto" (default), a Debian suite, or a reference.
	Base string
	// MixEnv is MIX_ENV while it compiles. Default "dev".
	MixEnv string
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
		return Image{ID: info.ID, Ref: src.Ref, Built: pulled}, err
	case Debian:
		info, made, err := ensureDebian(ctx, eng, src.Suite, o.Progress)
		return Image{ID: info.ID, Ref: debianRef(src.Suite), Kind: Debian, Built: made}, err
	case Dockerfile:
		text, err := os.ReadFile(filepath.Join(src.Dir, "Dockerfile"))
		if err != nil {
			return Image{}, fmt.Errorf("read Dockerfile: %w", err)
		}
		app := ""
		if p, err := readMixProject(src.Dir); err == nil {
			app = p.app
		}
		return build(ctx, eng, recipe{src: src, app: app, dockerfile: text, name: "Dockerfile", args: map[string]string{"MIX_ENV": o.MixEnv}, progress: o.Progress})
	case Mix:
		return resolveMix(ctx, eng, src, o)
	}
	return Image{}, fmt.Errorf("unknown kind of source %d", src.Kind)
}

//go:embed mix.Dockerfile.tmpl
var mixText string

var mixTemplate = template.Must(template.New("Dockerfile").Funcs(template.FuncMap{
	"dir": func(p string) string { return "./" + strings.TrimSuffix(path.Dir(p)+"/", "./") },
}).Parse(mixText))

func resolveMix(ctx context.Context, eng Engine, src Source, o Options) (Image, error) {
	project, err := readMixProject(src.Dir)
	if err != nil {
		return Image{}, err
	}
	baseRef, base, err := ensureBase(ctx, eng, o.Base, o.Progress)
	if err != nil {
		return Image{}, err
	}
	var text bytes.Buffer
	err = mixTemplate.Execute(&text, struct {
		Base, MixEnv     string
		External, Config bool
		Manifest         []string
	}{baseRef, o.MixEnv, project.external, project.config, project.manifest})
	if err != nil {
		return Image{}, err
	}
	return build(ctx, eng, recipe{
		src: src, app: project.app, dockerfile: text.Bytes(), name: ".beamyard.Dockerfile", base: base.ID,
		ignore: ignored, noNetwork: !project.external, progress: o.Progress,
	})
}

// ensureBase finds or makes the base of a Mix project.
func ensureBase(ctx context.Context, eng Engine, base string, progress io.Writer) (ref string, info Info, err error) {
	if _, ok := suites[base]; ok {
		info, _, err = ensureDebian(ctx, eng, base, progress)
		return debianRef(base), info, err
	}
	if base != "" && base != "auto" {
		if !reference.MatchString(base) {
			return "", Info{}, &SourceError{base, "is no base", "give auto, one of " + suiteNames() + ", or an image's name"}
		}
		info, _, err = ensure(ctx, eng, base, progress)
		return base, info, err
	}
	// What was chosen before is chosen again: an image must not change because
	// a registry came into reach.
	for _, ref := range []string{officialBase, debianRef(defaultSuite)} {
		if info, err = eng.Image(ctx, ref); err == nil {
			return ref, info, nil
		} else if !errors.Is(err, ErrNotFound) {
			return "", Info{}, err
		}
	}
	if info, _, err = ensure(ctx, eng, officialBase, progress); err == nil {
		return officialBase, info, nil
	}
	if ctx.Err() != nil {
		return "", Info{}, ctx.Err()
	}
	fmt.Fprintf(progress, "%s cannot be pulled (%v)\n", officialBase, errors.Unwrap(err))
	info, _, err = ensureDebian(ctx, eng, defaultSuite, progress)
	return debianRef(defaultSuite), info, err
}

// NoImageError is a reference that is neither here nor can be pulled.
type NoImageError struct {
	Ref string
	Err error // ErrNotFound or ErrNoRegistry underneath
}

func (e *NoImageError) Error() string {
	if errors.Is(e.Err, ErrNoRegistry) {
		return fmt.Sprintf("image %s is not on the engine, and no registry answers", e.Ref)
	}
	return fmt.Sprintf("image %s is not on the engine and cannot be pulled: %v", e.Ref, e.Err)
}
func (e *NoImageError) Unwrap() error { return e.Err }

// Hint is what to type.
func (e *NoImageError) Hint() string {
	return "check the name, or bring it with `docker load`; a folder is given as a path: ./" + path.Base(e.Ref)
}

// pullTimeout is long enough for a large image to begin; where no registry
// answers, engines give up by themselves after about 15 s.
const pullTimeout = 10 * time.Minute

func ensure(ctx context.Context, eng Engine, ref string, progress io.Writer) (Info, bool, error) {
	info, err := eng.Image(ctx, ref)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return info, false, err
	}
	fmt.Fprintf(progress, "pulling %s\n", ref)
	pulling, cancel := context.WithTimeout(ctx, pullTimeout)
	defer cancel()
	if err := eng.Pull(pulling, ref, progress); err != nil {
		if ctx.Err() != nil {
			return Info{}, false, ctx.Err()
		}
		return Info{}, false, &NoImageError{ref, err}
	}
	info, err = eng.Image(ctx, ref)
	return info, true, err
}

// recipe is one image to build.
type recipe struct {
	src        Source
	app        string
	name       string // of the Dockerfile in the context
	dockerfile []byte
	base       string // the base's ID: an input that the Dockerfile does not show
	args       map[string]string
	ignore     []string
	noNetwork  bool
	progress   io.Writer
}

func build(ctx context.Context, eng Engine, r recipe) (Image, error) {
	var files bytes.Buffer
	if err := writeContext(&files, r.src.Dir, map[string][]byte{r.name: r.dockerfile}, r.ignore); err != nil {
		return Image{}, err
	}
	ref, err := r.tag(files.Bytes())
	if err != nil {
		return Image{}, err
	}
	image := Image{Ref: ref, Kind: r.src.Kind, App: r.app}
	find := func() (bool, error) {
		info, err := eng.Image(ctx, ref)
		image.ID = info.ID
		if errors.Is(err, ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	}
	if found, err := find(); found || err != nil {
		return image, err
	}
	unlock, err := lock(ctx, ref)
	if err != nil {
		return Image{}, err
	}
	defer unlock()
	if found, err := find(); found || err != nil {
		return image, err // somebody else built it meanwhile
	}
	out := &tail{w: r.progress}
	image.Built = true
	image.ID, err = eng.Build(ctx, Build{
		Context: &files, Dockerfile: r.name, Tags: []string{ref}, Args: r.args, NoNetwork: r.noNetwork,
		Labels: map[string]string{"beamyard.image": r.src.Kind.String()},
	}, out)
	if err != nil && ctx.Err() == nil {
		return Image{}, newBuildError(r.src.Dir, append(out.lines, out.open), err)
	}
	return image, err
}

// String is the kind's name, as in labels.
func (k Kind) String() string {
	return [...]string{"reference", "mix", "dockerfile", "debian"}[k]
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// tag hashes all inputs.
func (r recipe) tag(files []byte) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "base %s\nnetwork %t\n", r.base, !r.noNetwork)
	for _, key := range []string{"MIX_ENV"} {
		fmt.Fprintf(h, "arg %s=%s\n", key, r.args[key])
	}
	h.Write(files)
	name := r.app
	if name == "" {
		full, err := filepath.Abs(r.src.Dir)
		if err != nil {
			return "", err
		}
		name = filepath.Base(full)
	}
	name = strings.Trim(notInNames.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if name == "" {
		name = "app"
	}
	return "beamyard/" + name + ":" + hex.EncodeToString(h.Sum(nil))[:12], nil
}

// lock keeps other processes from making the same image.
func lock(ctx context.Context, ref string) (unlock func(), err error) {
	sum := sha256.Sum256([]byte(ref))
	l := flock.New(filepath.Join(os.TempDir(), "beamyard-"+hex.EncodeToString(sum[:8])+".lock"), flock.SetPermissions(0o666))
	if _, err := l.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return nil, fmt.Errorf("wait for another build of %s: %w", ref, err)
	}
	return func() { _ = l.Unlock() }, nil
}
