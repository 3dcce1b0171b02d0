package codesync

import (
	"archive/tar"
	"crypto/md5"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/images"
)

// local is the project's folder on this machine. What it read of a file remains valid while the
// file's time and size are unchanged.
type local struct {
	dir        string
	dockerfile bool   // the image was built from a Dockerfile
	root       string // the folder of the project and of what it needs beside it; set by a scan
	known      map[string]stamp
}

type stamp struct {
	modified time.Time
	size     int64
	sum      Sum
}

// scan returns the sum of each file that belongs to the image, and a function that reports
// whether a path does not.
func (l *local) scan() (map[string]Sum, func(string) bool, error) {
	files, err := images.OpenFiles(l.dir)
	if err != nil {
		return nil, nil, err
	}
	l.root = files.Dir()
	known, sums := map[string]stamp{}, map[string]Sum{}
	err = files.Walk(func(p string, info fs.FileInfo) error {
		if IsEditors(p) {
			return nil
		}
		s, ok := l.known[p]
		if !ok || !s.modified.Equal(info.ModTime()) || s.size != info.Size() {
			data, err := os.ReadFile(filepath.Join(files.Dir(), filepath.FromSlash(p)))
			if errors.Is(err, fs.ErrNotExist) {
				return nil // an editor's temporary file, or just deleted
			}
			if err != nil {
				return err
			}
			s = stamp{info.ModTime(), info.Size(), md5.Sum(data)}
		}
		known[p], sums[p] = s, s.sum
		return nil
	})
	l.known = known
	return sums, files.Ignored, err
}

// projectOf returns a project's folder below the one that contains everything it needs: "." if
// it needs nothing beside it.
func projectOf(dir string) (string, error) {
	files, err := images.OpenFiles(dir)
	if err != nil {
		return "", err
	}
	return files.Project(), nil
}

// contents reads files to be put into the compiler, except those that were just deleted. It
// stores in sums what was read, which is what the compiler then has, even if a file was saved
// after the scan.
func (l *local) contents(paths []string, sums map[string]Sum) ([]content, error) {
	var all []content
	for _, p := range paths {
		full := filepath.Join(l.root, filepath.FromSlash(p))
		data, err := os.ReadFile(full)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		mode := int64(0o644)
		if info, err := os.Stat(full); err == nil && info.Mode()&0o111 != 0 {
			mode = 0o755
		}
		sums[p] = md5.Sum(data)
		all = append(all, content{p, mode, data})
	}
	return all, nil
}

// WriteSources writes a project as an archive that replaces the sources of a compiler.
// folder is the compiler's working directory, and owner the user that owns the files. It
// is for a compiler whose VM does not start with its present sources.
func WriteSources(w io.Writer, dir, folder string, owner int) error {
	l := local{dir: dir}
	project, err := projectOf(dir)
	if err != nil {
		return err
	}
	root := strings.TrimSuffix(folder, "/"+project)
	sums, _, err := l.scan()
	if err != nil {
		return err
	}
	files, err := l.contents(slices.Sorted(maps.Keys(sums)), sums)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: path.Join("/", root, f.path)[1:], Mode: f.mode, Uid: owner, Gid: owner, Size: int64(len(f.data)), ModTime: time.Now().Truncate(time.Second)}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if _, err := tw.Write(f.data); err != nil {
			return err
		}
	}
	return tw.Close()
}
