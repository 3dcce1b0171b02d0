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

// recipe describes one image to build: everything that its tag is a hash of.
type recipe struct {
	src        Source
	app        string            // part of the image's name; "": the folder's name
	dockerfile string            // its name in the context
	extra      map[string][]byte // files of the context that are not in the folder
	ignore     []string          // patterns that precede those of .dockerignore
	bases      []string          // IDs: inputs that are not in the Dockerfile
	args       map[string]string
	target     string // the stage to build; "": the last one
	labels     map[string]string
	noNetwork  bool
	progress   io.Writer
}

// build builds an image that does not exist yet. The context is read once and held in memory,
// so that the hash matches what is built even while an editor saves files.
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
		return image, err // another process has built it
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

// find returns the ID of an image, or "" if it does not exist.
func find(ctx context.Context, eng Engine, ref string) (string, error) {
	info, err := look(ctx, eng, ref)
	return info.ID, err
}

// look describes an image; its ID is "" if it does not exist.
func look(ctx context.Context, eng Engine, ref string) (Info, error) {
	info, err := eng.Image(ctx, ref)
	if errors.Is(err, ErrNotFound) {
		return Info{}, nil
	}
	return info, err
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// ref names the image after the application or the folder, so that people recognize it, with a
// hash of all inputs as its tag.
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

// imageName is the name of a repository: the application, or else the folder.
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

// lock keeps other processes, and other goroutines of this one, from making the same image. It
// is released when the process that holds it ends.
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
	// The file stays: removing it could remove one that another process has just locked.
	return func() { _ = l.Unlock() }, nil
}

// lockDir is a folder of the user: a lock in /tmp could not be opened by another user
// (fs.protected_regular). Two users may therefore build one image twice, which only costs time.
func lockDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err == nil {
		dir := filepath.Join(cache, "beamyard", "locks")
		if err = os.MkdirAll(dir, 0o700); err == nil {
			return dir, nil
		}
	}
	// There is no home, or it is not writable.
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("beamyard-locks-%d", os.Getuid()))
	return dir, os.MkdirAll(dir, 0o700)
}
