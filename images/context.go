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
	"slices"
	"sort"
	"time"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// ignored is excluded from a Mix project's context by default: files that the build generates,
// and files that would change the hash needlessly. A .dockerignore comes after it, so that
// "!deps" includes vendored dependencies. "deps" is excluded only beside a mix.exs, see
// [fetchedBelow]: lib/app/deps is source.
var ignored = []string{
	"**/_build", "**/.git", "**/node_modules", "**/.elixir_ls", "**/.lexical", "**/erl_crash.dump", "**/.DS_Store",
}

// maxContext, in bytes, protects against a folder given by mistake (a home folder). It is
// checked before a file is opened.
const maxContext = 512 << 20

// epoch is the modification time of every file. It is not 0, which Mix treats as a missing file
// (Mix.Utils.last_modified/1), and long before any manifest in _build, so that nothing is stale
// after COPY.
var epoch = time.Unix(1_000_000_000, 0)

// file is one entry of a context.
type file struct {
	path string // with slashes
	info fs.FileInfo
}

// writeContext writes a folder as a tar that is the same for the same content: sorted, without
// times and owners, with two modes. extra files are added, or replace those in the folder.
//
// .dockerignore is applied (patternmatcher is the engine's own implementation); the patterns of
// ignore precede it.
func writeContext(w io.Writer, dir string, extra map[string][]byte, ignore []string) error {
	// WalkDir does not enter a root that is a link: the context would be empty.
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("find the project's folder: %w", err)
	}
	patterns, err := ignorePatterns(dir)
	if err != nil {
		return err
	}
	matcher, err := newMatcher(dir, slices.Concat(ignore, patterns))
	if err != nil {
		return err
	}
	files, err := contextFiles(dir, matcher, maxContext)
	if err != nil {
		return err
	}
	for name := range extra {
		if i := sort.Search(len(files), func(i int) bool { return files[i].path >= name }); i == len(files) || files[i].path != name {
			files = append(files[:i], append([]file{{path: name}}, files[i:]...)...)
		}
	}
	tw := tar.NewWriter(w)
	for _, f := range files {
		if text, ok := extra[f.path]; ok {
			err = writeEntry(tw, &tar.Header{Name: f.path, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}, bytes.NewReader(text))
		} else {
			err = addFile(tw, dir, f)
		}
		if err != nil {
			return unreadable(filepath.Join(dir, f.path), err)
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
		return nil, fmt.Errorf("read .dockerignore: %w", err)
	}
	defer f.Close()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read .dockerignore: %w", err)
	}
	return patterns, nil
}

// newMatcher compiles the given patterns and those of the folder's .dockerignore.
func newMatcher(dir string, patterns []string) (*patternmatcher.PatternMatcher, error) {
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, &SourceError{filepath.Join(dir, ".dockerignore"), err.Error(), "fix the pattern: https://docs.docker.com/build/concepts/context/#dockerignore-files"}
	}
	return matcher, nil
}

// contextFiles lists the files of the context, sorted by path; limit is in bytes.
func contextFiles(dir string, matcher *patternmatcher.PatternMatcher, limit int64) ([]file, error) {
	var files []file
	size := int64(0)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if path == dir {
			return err
		}
		rel, relErr := filepath.Rel(dir, path)
		if relErr != nil {
			return relErr
		}
		skip, matchErr := matcher.MatchesOrParentMatches(rel)
		switch {
		case matchErr != nil:
			return fmt.Errorf("match %s: %w", rel, matchErr)
		case skip && d.IsDir() && (err != nil || !matcher.Exclusions()):
			return fs.SkipDir
		case skip:
			return nil
		case err != nil:
			return unreadable(path, err)
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // an editor's temporary file
		}
		if err != nil {
			return err
		}
		t := info.Mode().Type()
		if !t.IsDir() && !t.IsRegular() && t != fs.ModeSymlink {
			return nil // sockets and devices have no use in an image
		}
		if t.IsRegular() {
			size += info.Size()
		}
		if size > limit {
			return &SourceError{dir, fmt.Sprintf("holds more than %d MiB", limit>>20), "is it the project's own folder? leave out what the build does not need: .dockerignore"}
		}
		files = append(files, file{filepath.ToSlash(rel), info})
		return nil
	})
	sort.Slice(files, func(i, j int) bool { return files[i].path < files[j].path })
	return files, err
}

// unreadable explains the error of a file to its owner.
func unreadable(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &SourceError{path, "cannot be read: permission denied", "give yourself the right to read it, or leave it out: .dockerignore"}
	}
	return fmt.Errorf("add %s to the build: %w", path, err)
}

func addFile(tw *tar.Writer, dir string, f file) error {
	full := filepath.Join(dir, filepath.FromSlash(f.path))
	switch {
	case f.info.IsDir():
		return writeEntry(tw, &tar.Header{Name: f.path + "/", Mode: 0o755, Typeflag: tar.TypeDir}, nil)
	case f.info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(full)
		if err != nil {
			return err
		}
		return writeEntry(tw, &tar.Header{Name: f.path, Linkname: filepath.ToSlash(target), Mode: 0o777, Typeflag: tar.TypeSymlink}, nil)
	}
	mode := int64(0o644)
	if f.info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	body, err := os.Open(full)
	if err != nil {
		return err
	}
	defer body.Close()
	return writeEntry(tw, &tar.Header{Name: f.path, Mode: mode, Size: f.info.Size(), Typeflag: tar.TypeReg}, body)
}

func writeEntry(tw *tar.Writer, h *tar.Header, body io.Reader) error {
	h.Format, h.ModTime = tar.FormatPAX, epoch
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	if body == nil {
		return nil
	}
	_, err := io.Copy(tw, body)
	return err
}
