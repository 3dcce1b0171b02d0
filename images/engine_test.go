package images

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
)

// fakeEngine is an engine in memory: images by name, and what was asked of it.
type fakeEngine struct {
	mu       sync.Mutex
	images   map[string]Info
	registry map[string]Info // what can be pulled
	noPull   error           // what every pull fails with
	builds   []Build
	contexts [][]string // the names of each build's files
	imports  []Import
	pulls    []string
	pulling  func()                                         // what a pull does after its first word, if anything
	building func(ctx context.Context, out io.Writer) error // what a build does, if not nothing
}

var _ Engine = (*fakeEngine)(nil)

func engineWith(refs ...string) *fakeEngine {
	e := &fakeEngine{images: map[string]Info{}, noPull: ErrNoRegistry}
	for _, ref := range refs {
		e.images[ref] = Info{ID: idOf(ref)}
	}
	return e
}

func idOf(s string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s))) }

func (e *fakeEngine) Image(ctx context.Context, ref string) (Info, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if info, ok := e.images[ref]; ok {
		return info, ctx.Err()
	}
	return Info{}, errors.Join(fmt.Errorf("inspect image %s: %w", ref, ErrNotFound), ctx.Err())
}

func (e *fakeEngine) Pull(ctx context.Context, ref string, progress io.Writer) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pulls = append(e.pulls, ref)
	info, ok := e.registry[ref]
	switch {
	case ok:
		fmt.Fprintf(progress, "Pulling from %s\n", ref)
		if e.pulling != nil {
			e.pulling()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e.images[ref] = info
		return nil
	case errors.Is(e.noPull, errSilence):
		<-ctx.Done()
		return ctx.Err()
	}
	return fmt.Errorf("pull %s: %w", ref, e.noPull)
}

// errSilence makes a pull wait for the end of its context.
var errSilence = errors.New("silence")

func (e *fakeEngine) Build(ctx context.Context, b Build, progress io.Writer) (string, error) {
	var names []string
	h := sha256.New()
	for tr := tar.NewReader(io.TeeReader(b.Context, h)); ; {
		header, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}
		names = append(names, header.Name)
	}
	if e.building != nil {
		if err := e.building(ctx, progress); err != nil {
			return "", err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.builds, e.contexts = append(e.builds, b), append(e.contexts, names)
	id := fmt.Sprintf("sha256:%x", h.Sum(nil))
	for _, tag := range b.Tags {
		e.images[tag] = Info{ID: id, Labels: b.Labels}
	}
	return id, nil
}

func (e *fakeEngine) Import(_ context.Context, rootfs io.Reader, imp Import) (string, error) {
	text, err := io.ReadAll(rootfs)
	if err != nil {
		return "", err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.imports = append(e.imports, imp)
	e.images[imp.Ref] = Info{ID: idOf(string(text))}
	return e.images[imp.Ref].ID, nil
}
