package images

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// ignored is left out of every context, whatever .dockerignore says: what the
// build makes anew, and what would change the hash for nothing.
var ignored = []string{
	"**/_build", "**/deps", "**/.git", "**/node_modules", "**/.elixir_ls", "**/erl_crash.dump", "**/.DS_Store",
}

// maxContext guards against a folder given by mistake (a home folder).
const maxContext = 512 << 20

// writeContext writes a folder as a tar that is the same for the same content:
// sorted, without times and owners, with two modes. extra files are added, or
// take the place of those in the folder.
//
// .dockerignore is honoured (patternmatcher is the engine's own, so that it
// means the same), and also rules of a Mix project's own are added: see ignored.
func writeContext(w io.Writer, dir string, extra map[string][]byte, ignore []string) error {
	patterns, err := ignorePatterns(dir)
	if err != nil {
		return err
	}
	matcher, err := patternmatcher.New(append(patterns, ignore...))
	if err != nil {
		return fmt.Errorf("read .dockerignore: %w", err)
	}
	paths, err := contextPaths(dir, matcher)
	if err != nil {
		return err
	}
	for name := range extra {
		if i := sort.SearchStrings(paths, name); i == len(paths) || paths[i] != name {
			paths = append(paths, name)
			sort.Strings(paths)
		}
	}
	tw := tar.NewWriter(w)
	total := int64(0)
	for _, path := range paths {
		if text, ok := extra[path]; ok {
			if err := writeEntry(tw, &tar.Header{Name: path, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}, bytes.NewReader(text)); err != nil {
				return err
			}
			continue
		}
		n, err := addFile(tw, dir, path)
		if err != nil {
			return fmt.Errorf("add %s to the build: %w", path, err)
		}
		if total += n; total > maxContext {
			return &SourceError{dir, fmt.Sprintf("is larger than %d MiB", maxContext>>20), "leave out what the build does not need: .dockerignore"}
		}
	}
	return tw.Close()
}

func ignorePatterns(dir string) ([]string, error) {
	f, err := os.Open(filepath.Join(dir, ".dockerignore"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read .dockerignore: %w", err)
	}
	return patterns, nil
}

// contextPaths lists what belongs to the context, sorted, with slashes.
func contextPaths(dir string, matcher *patternmatcher.PatternMatcher) ([]string, error) {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		skip, err := matcher.MatchesOrParentMatches(rel)
		if err != nil {
			return fmt.Errorf("read .dockerignore: %w", err)
		}
		if skip {
			if d.IsDir() && !matcher.Exclusions() {
				return fs.SkipDir
			}
			return nil
		}
		if t := d.Type(); t.IsDir() || t.IsRegular() || t&fs.ModeSymlink != 0 {
			paths = append(paths, filepath.ToSlash(rel)) // sockets and devices mean nothing in an image
		}
		return nil
	})
	sort.Strings(paths)
	return paths, err
}

func addFile(tw *tar.Writer, dir, path string) (int64, error) {
	full := filepath.Join(dir, filepath.FromSlash(path))
	info, err := os.Lstat(full)
	if err != nil {
		return 0, err
	}
	switch {
	case info.IsDir():
		return 0, writeEntry(tw, &tar.Header{Name: path + "/", Mode: 0o755, Typeflag: tar.TypeDir}, nil)
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(full)
		if err != nil {
			return 0, err
		}
		return 0, writeEntry(tw, &tar.Header{Name: path, Linkname: target, Mode: 0o777, Typeflag: tar.TypeSymlink}, nil)
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	f, err := os.Open(full)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return info.Size(), writeEntry(tw, &tar.Header{Name: path, Mode: mode, Size: info.Size(), Typeflag: tar.TypeReg}, f)
}

func writeEntry(tw *tar.Writer, h *tar.Header, body io.Reader) error {
	h.Format, h.ModTime = tar.FormatPAX, time.Unix(0, 0)
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	if body == nil {
		return nil
	}
	_, err := io.Copy(tw, body)
	return err
}

// tail keeps the last lines that are written through it.
type tail struct {
	w     io.Writer
	lines []string
	open  string
}

func (t *tail) Write(p []byte) (int, error) {
	parts := strings.Split(t.open+string(p), "\n")
	t.open = parts[len(parts)-1]
	t.lines = append(t.lines, parts[:len(parts)-1]...)
	if len(t.lines) > 400 {
		t.lines = append([]string(nil), t.lines[len(t.lines)-200:]...)
	}
	if t.w == nil {
		return len(p), nil
	}
	return t.w.Write(p)
}
