package images

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
)

// fakeEngine is an in-memory engine. It has images by name, and records the requests.
type fakeEngine struct {
	mu       sync.Mutex
	images   map[string]Info
	registry map[string]Info // images that can be pulled
	noPull   error           // the error of every pull
	builds   []Build
	contexts [][]string // the names of the files of each build
	imports  []Import
	pulls    []string
	pulling  func()                                         // what a pull does after its first message; optional
	building func(ctx context.Context, out io.Writer) error // what a build does; optional
	mix      func(*fakeWorkshop) string                     // the answer of Mix; nil: that of a project called tiny
	run      func(*fakeWorkshop, Command) (string, int)     // the output of any other command
	said     func(Command) (string, int)                    // replaces run; its text goes to stdout
	made     map[string]map[string]string                   // the files of each committed image
	wrote    []string                                       // the files that were written into the last workshop
	open     int                                            // workshops that are not closed
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

// errSilence makes a pull wait until its context ends.
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

// Start implements [Engine].
func (e *fakeEngine) Start(ctx context.Context, spec WorkshopSpec) (Workshop, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open++
	e.wrote = nil
	files := map[string]string{}
	for ref, made := range e.made {
		if e.images[ref].ID == spec.Image.ID {
			files = maps.Clone(made)
		}
	}
	return &fakeWorkshop{e: e, spec: spec, files: files}, ctx.Err()
}

// fakeWorkshop keeps the files that were written into it. Files that a command removes
// stay.
type fakeWorkshop struct {
	e     *fakeEngine
	spec  WorkshopSpec
	files map[string]string
	ran   []string
	env   []string // the environment of the last command
}

func (w *fakeWorkshop) Write(_ context.Context, dir string, archive io.Reader) error {
	for tr := tar.NewReader(archive); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		text, err := io.ReadAll(tr)
		if err != nil {
			return err
		}
		name := path.Join(dir, h.Name)
		if h.Typeflag == tar.TypeDir {
			name += "/"
		} else {
			w.e.wrote = append(w.e.wrote, name)
		}
		w.files[name] = string(text)
	}
}

func (w *fakeWorkshop) Read(_ context.Context, dir string) (io.ReadCloser, error) {
	var list []entry
	if text, isFile := w.files[dir]; isFile {
		list = append(list, textEntry(path.Base(dir), text, 0o644))
	}
	for _, name := range slices.Sorted(maps.Keys(w.files)) {
		if rel, below := strings.CutPrefix(name, dir+"/"); below && !strings.HasSuffix(name, "/") {
			list = append(list, textEntry(path.Base(dir)+"/"+rel, w.files[name], 0o644))
		}
	}
	r, err := archiveOf(list)
	return io.NopCloser(r), err
}

func (w *fakeWorkshop) Run(ctx context.Context, c Command, stdout, stderr io.Writer) (int, error) {
	w.ran, w.env = append(w.ran, strings.Join(c.Args, " ")), c.Env
	if len(c.Args) > 1 && c.Args[1] == evaluator {
		if w.e.mix != nil {
			_, err := io.WriteString(stdout, "talk of mix.exs\n"+w.e.mix(w)+"\n")
			return 0, err
		}
		_, err := fmt.Fprintf(stdout, `{"projects": [{"dir": %q, "app": "tiny", "main": true, "deps_path": "/app/deps", "build_path": "/app/_build"}]}`+"\n", c.Args[2])
		return 0, err
	}
	if w.e.said != nil {
		text, code := w.e.said(c)
		_, err := io.WriteString(stdout, text)
		return code, err
	}
	if w.e.run != nil {
		text, code := w.e.run(w, c)
		_, err := io.WriteString(stderr, text)
		return code, err
	}
	if w.e.building != nil {
		return 0, w.e.building(ctx, stdout)
	}
	return 0, nil
}

func (w *fakeWorkshop) Commit(_ context.Context, c Commit) (string, error) {
	h := sha256.New()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(w.files)) {
		fmt.Fprintf(h, "%s %s\n", name, w.files[name])
		if rel, below := strings.CutPrefix(name, workDir+"/"); below && rel != "" {
			names = append(names, rel)
		}
	}
	id := fmt.Sprintf("sha256:%x", h.Sum(nil))
	w.e.mu.Lock()
	defer w.e.mu.Unlock()
	w.e.builds = append(w.e.builds, Build{Tags: []string{c.Ref}, NoNetwork: !w.spec.Network, Labels: c.Labels})
	w.e.contexts = append(w.e.contexts, names)
	if w.e.made == nil {
		w.e.made = map[string]map[string]string{}
	}
	w.e.made[c.Ref] = maps.Clone(w.files)
	w.e.images[c.Ref] = Info{ID: id, Labels: c.Labels, User: c.User, WorkingDir: c.WorkingDir, Env: c.Env}
	return id, nil
}

func (w *fakeWorkshop) Close() error {
	w.e.mu.Lock()
	defer w.e.mu.Unlock()
	w.e.open--
	return nil
}
