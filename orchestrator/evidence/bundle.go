package evidence

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// Bundle is collected evidence. Crash dumps wait in a folder for temporary
// files, until [Bundle.Close].
type Bundle struct {
	Cluster string
	At      time.Time
	Missing []Missing // what could not be collected

	mu    sync.Mutex
	parts map[string]part // by path in the bundle, with slashes
	dir   string          // of what is spooled; "" while nothing is
}

// Missing is a part that could not be collected.
type Missing struct{ Part, Reason string }

// part is a file: its text, or where it was spooled to.
type part struct {
	data     []byte
	spooled  string
	modified time.Time
}

func newBundle(cluster string, at time.Time) *Bundle {
	return &Bundle{Cluster: cluster, At: at, parts: map[string]part{}}
}

func (b *Bundle) miss(m Missing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Missing = append(b.Missing, m)
}

func (b *Bundle) add(name string, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts[name] = part{data: data, modified: b.At}
}

// spool keeps a part that may be large. What was written before an error stays.
func (b *Bundle) spool(name string, modified time.Time, fill func(io.Writer) error) error {
	f, err := b.spoolFile()
	if err != nil {
		return err
	}
	err = errors.Join(fill(f), f.Close())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts[name] = part{spooled: f.Name(), modified: modified}
	return err
}

func (b *Bundle) spoolFile() (*os.File, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir == "" {
		dir, err := os.MkdirTemp("", "beamyard-evidence-") // mode 0700
		if err != nil {
			return nil, err
		}
		b.dir = dir
	}
	return os.CreateTemp(b.dir, "") // mode 0600
}

// count is how many files there are of a name, in which NAME stands for each node.
func (b *Bundle) count(pattern string) int {
	n := 0
	for name := range b.parts {
		dir, base := filepath.Split(name)
		if name == pattern || strings.HasPrefix(dir, "nodes/") && pattern == "nodes/NAME/"+base {
			n++
		}
	}
	return n
}

// Close removes what waits for being written.
func (b *Bundle) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir == "" {
		return nil
	}
	return os.RemoveAll(b.dir)
}

// Name is what a bundle's folder is called where nobody says otherwise:
// "beamyard-demo-20260131-120000", in UTC.
func (b *Bundle) Name() string {
	return fmt.Sprintf("beamyard-%s-%s", cmp.Or(filepath.Base(b.Cluster), "cluster"), b.At.UTC().Format("20060102-150405"))
}

// WriteDir writes the bundle as a folder of mode 0700: all of it, or nothing. A
// folder that has something in it already is an error.
func (b *Bundle) WriteDir(dir string) (err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil && len(entries) > 0:
		return orchestrator.WithHint(fmt.Errorf("write evidence: %s is not empty", dir), "name another folder: beamyard export %s", filepath.Join(dir, b.Name()))
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return orchestrator.WithHint(fmt.Errorf("write evidence: %w", err), "name a folder that does not exist yet: beamyard export %s", b.Name())
	}
	there := err == nil
	beside := filepath.Dir(filepath.Clean(dir))
	if there {
		beside = dir // it may be a mount point, or the folder that we are in
	}
	if err := os.MkdirAll(beside, 0o700); err != nil {
		return fmt.Errorf("write evidence: %w", err)
	}
	tmp, err := os.MkdirTemp(beside, ".beamyard-evidence-")
	if err != nil {
		return fmt.Errorf("write evidence: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write evidence: %w", err), os.RemoveAll(tmp))
		}
	}()
	if err := b.each(func(name string, p part, _ int64, content io.Reader) error {
		return writeFile(filepath.Join(tmp, name), p.modified, content)
	}); err != nil {
		return err
	}
	if !there {
		return os.Rename(tmp, dir)
	}
	moved, err := os.ReadDir(tmp)
	for _, e := range moved {
		err = errors.Join(err, os.Rename(filepath.Join(tmp, e.Name()), filepath.Join(dir, e.Name())))
	}
	return errors.Join(err, os.Remove(tmp))
}

func writeFile(path string, modified time.Time, content io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close(), os.Chtimes(path, modified, modified))
}

// Leave writes the bundle into a folder of its own in a folder that is made
// where it is missing, and returns its path.
func (b *Bundle) Leave(in string) (path string, err error) {
	if err := os.MkdirAll(in, 0o700); err != nil {
		return "", fmt.Errorf("write evidence: %w", err)
	}
	for i := 1; ; i++ {
		path = filepath.Join(in, b.Name())
		if i > 1 {
			path += fmt.Sprintf("-%d", i)
		}
		err := os.Mkdir(path, 0o700)
		switch {
		case err == nil:
			if err := b.WriteDir(path); err != nil {
				return "", errors.Join(err, os.Remove(path))
			}
			return path, nil
		case !errors.Is(err, os.ErrExist) || i == 1000:
			return "", fmt.Errorf("write evidence: %w", err)
		}
	}
}

// WriteTarGz writes the bundle as a .tar.gz of mode 0600, in which it is a
// folder of the file's name: all of it, or nothing. A file that exists is an
// error.
func (b *Bundle) WriteTarGz(file string) (err error) {
	if _, err := os.Lstat(file); err == nil {
		return orchestrator.WithHint(fmt.Errorf("write evidence: %s exists", file), "name another file: beamyard export %s.tar.gz", b.Name())
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("write evidence: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".beamyard-evidence-") // mode 0600
	if err != nil {
		return fmt.Errorf("write evidence: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write evidence: %w", err), os.Remove(tmp.Name()))
		}
	}()
	folder := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), ".tar.gz"), ".tgz")
	packed := gzip.NewWriter(tmp)
	archive := tar.NewWriter(packed)
	err = b.each(func(name string, p part, size int64, content io.Reader) error {
		header := tar.Header{Name: folder + "/" + name, Mode: 0o600, Size: size, ModTime: p.modified, Typeflag: tar.TypeReg}
		if err := archive.WriteHeader(&header); err != nil {
			return err
		}
		_, err := io.Copy(archive, content)
		return err
	})
	if err = errors.Join(err, archive.Close(), packed.Close(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

// each calls fn with every file, by name.
func (b *Bundle) each(fn func(name string, p part, size int64, content io.Reader) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for name := range b.parts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p := b.parts[name]
		if err := p.read(func(size int64, content io.Reader) error { return fn(name, p, size, content) }); err != nil {
			return err
		}
	}
	return nil
}

func (p part) read(fn func(size int64, content io.Reader) error) error {
	if p.spooled == "" {
		return fn(int64(len(p.data)), strings.NewReader(string(p.data)))
	}
	f, err := os.Open(p.spooled)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return fn(info.Size(), f)
}
