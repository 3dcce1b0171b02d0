package images

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// recipe is one image to build: all that its tag is a hash of.
type recipe struct {
	src        Source
	app        string            // names the image; "": the folder does
	dockerfile string            // its name in the context
	extra      map[string][]byte // files of the context that are not the folder's
	ignore     []string          // patterns that go before those of .dockerignore
	bases      []string          // IDs: inputs that the Dockerfile does not show
	args       map[string]string
	target     string // the stage to build; "": the last one
	labels     map[string]string
	noNetwork  bool
	progress   io.Writer
}

// build builds what has no image yet. The context is read once and held in
// memory, so that what was hashed is what is built even while an editor saves.
func build(ctx context.Context, eng Engine, r recipe) (Image, error) {
	var files bytes.Buffer
	if err := writeContext(&files, r.src.Dir, r.extra, r.ignore); err != nil {
		return Image{}, err
	}
	ref := r.ref(files.Bytes())
	image := Image{Ref: ref, Kind: r.src.Kind, App: r.app}
	var err error
	if image.ID, err = find(ctx, eng, ref); err != nil || image.ID != "" {
		return image, err
	}
	unlock, err := lock(ctx, ref)
	if err != nil {
		return Image{}, err
	}
	defer unlock()
	if image.ID, err = find(ctx, eng, ref); err != nil || image.ID != "" {
		return image, err // somebody else built it meanwhile
	}
	out := &step{w: r.progress}
	image.ID, err = eng.Build(ctx, Build{
		Context: &files, Dockerfile: r.dockerfile, Tags: []string{ref}, Args: r.args, Target: r.target, Labels: r.labels, NoNetwork: r.noNetwork,
	}, out)
	if err != nil {
		if ctx.Err() != nil {
			return Image{}, ctx.Err()
		}
		return Image{}, newBuildError(r.src, out, err)
	}
	image.Built = true
	return image, nil
}

// find returns the ID of an image, "" where there is none.
func find(ctx context.Context, eng Engine, ref string) (string, error) {
	info, err := eng.Image(ctx, ref)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return info.ID, err
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// ref names the image: after the application or the folder, so that people
// know it, with a hash of all inputs as its tag.
func (r recipe) ref(files []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "dockerfile %s\nnetwork %t\n", r.dockerfile, !r.noNetwork)
	for _, id := range r.bases {
		fmt.Fprintf(h, "base %s\n", id)
	}
	for _, key := range slices.Sorted(maps.Keys(r.args)) {
		fmt.Fprintf(h, "arg %s=%s\n", key, r.args[key])
	}
	if r.target != "" {
		fmt.Fprintf(h, "target %s\n", r.target)
	}
	h.Write(files)
	return imageName(r.app, r.src.Dir) + ":" + hex.EncodeToString(h.Sum(nil))[:12]
}

// imageName is a repository's: after the application, or else the folder.
func imageName(app, dir string) string {
	name := app
	if name == "" {
		full, err := filepath.Abs(dir)
		if err != nil {
			full = dir
		}
		name = filepath.Base(full)
	}
	name = strings.Trim(notInNames.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if name == "" {
		name = "app"
	}
	return "beamyard/" + name
}

// lock keeps other processes, and other goroutines of this one, from making
// the same image. The lock ends with the process that holds it.
func lock(ctx context.Context, ref string) (unlock func(), err error) {
	dir, err := lockDir()
	if err != nil {
		return nil, fmt.Errorf("make a folder for locks: %w", err)
	}
	sum := sha256.Sum256([]byte(ref))
	l := flock.New(filepath.Join(dir, hex.EncodeToString(sum[:8])+".lock"))
	if _, err := l.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return nil, fmt.Errorf("wait for another build of %s: %w", ref, err)
	}
	// The file stays: who removes it can remove one that another has just locked.
	return func() { _ = l.Unlock() }, nil
}

// lockDir is the user's own: in /tmp a lock of one user's could not be opened by
// another (fs.protected_regular). Two users may then build one image twice,
// which costs time and nothing else.
func lockDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err == nil {
		dir := filepath.Join(cache, "beamyard", "locks")
		if err = os.MkdirAll(dir, 0o700); err == nil {
			return dir, nil
		}
	}
	// No home, or one that cannot be written to.
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("beamyard-locks-%d", os.Getuid()))
	return dir, os.MkdirAll(dir, 0o700)
}
