package evidence

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// This file writes bundles. It writes them beside their destination first, so that an existing
// bundle is always complete.

// cannot adds advice for a destination that cannot be written to.
func (b *Bundle) cannot(err error) error {
	return orchestrator.WithHint(fmt.Errorf("write evidence: %w", err), "write it elsewhere: %s", hint.Export.With(filepath.Join(os.TempDir(), b.Name())))
}

// WriteDir writes the bundle as a folder of mode 0700: all of it, or nothing. If the
// folder exists and is not empty, WriteDir returns an error.
func (b *Bundle) WriteDir(dir string) (err error) {
	sweep(dir)
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil && len(entries) > 0:
		return orchestrator.WithHint(fmt.Errorf("write evidence: %s is not empty", dir), "name another folder: %s", hint.Export.With(filepath.Join(dir, b.Name())))
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return b.cannot(err)
	}
	there := err == nil
	beside := filepath.Dir(filepath.Clean(dir))
	if there {
		beside = dir // it may be a mount point, or the current folder
	}
	if err := os.MkdirAll(beside, 0o700); err != nil {
		return b.cannot(err)
	}
	sweep(beside)
	tmp, err := os.MkdirTemp(beside, unfinishedName())
	if err != nil {
		return b.cannot(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(b.cannot(err), os.RemoveAll(tmp))
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

// Leave writes the bundle into a new folder in the folder in, which it creates if
// necessary, and returns the new folder's path.
func (b *Bundle) Leave(in string) (path string, err error) {
	if err := os.MkdirAll(in, 0o700); err != nil {
		return "", b.cannot(err)
	}
	sweepBundles(in)
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
			return "", b.cannot(err)
		}
	}
}

// WriteTarGz writes the bundle as a .tar.gz of mode 0600: all of it, or nothing. The
// archive contains one folder with the name of the file. If the file exists, WriteTarGz
// returns an error.
func (b *Bundle) WriteTarGz(file string) (err error) {
	if _, err := os.Lstat(file); err == nil {
		return orchestrator.WithHint(fmt.Errorf("write evidence: %s exists", file), "name another file: %s", hint.Export.With(b.Name()+".tar.gz"))
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return b.cannot(err)
	}
	sweep(filepath.Dir(file))
	tmp, err := os.CreateTemp(filepath.Dir(file), unfinishedName()) // mode 0600
	if err != nil {
		return b.cannot(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(b.cannot(err), os.Remove(tmp.Name()))
		}
	}()
	folder := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), ".tar.gz"), ".tgz")
	if err = errors.Join(b.TarGz(tmp, folder), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

// TarGz writes the bundle as a .tar.gz archive that contains one folder.
func (b *Bundle) TarGz(w io.Writer, folder string) error {
	packed := gzip.NewWriter(w)
	archive := tar.NewWriter(packed)
	err := b.each(func(name string, p part, size int64, content io.Reader) error {
		header := tar.Header{Name: folder + "/" + name, Mode: 0o600, Size: size, ModTime: p.modified, Typeflag: tar.TypeReg}
		if err := archive.WriteHeader(&header); err != nil {
			return err
		}
		_, err := io.Copy(archive, content)
		return err
	})
	return errors.Join(err, archive.Close(), packed.Close())
}
