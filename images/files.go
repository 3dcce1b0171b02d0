package images

import (
	"io/fs"
	"path/filepath"

	"github.com/moby/patternmatcher"
)

// Files are the regular files of a Mix project's folder that belong to its image:
// those that its build takes in. What is generated, fetched or named in
// .dockerignore is none of them.
type Files struct {
	dir     string
	matcher *patternmatcher.PatternMatcher
}

// OpenFiles reads what decides about a folder: its .dockerignore, and where its
// mix.exs files are. Open it again when those change.
func OpenFiles(dir string) (*Files, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	project, err := readMixProject(dir)
	if err != nil {
		return nil, err
	}
	own, err := ignorePatterns(dir)
	if err != nil {
		return nil, err
	}
	matcher, err := newMatcher(dir, append(append(project.fetched(), ignored...), own...))
	if err != nil {
		return nil, err
	}
	return &Files{dir, matcher}, nil
}

// Dir is the folder, without symbolic links.
func (f *Files) Dir() string { return f.dir }

// Ignored tells whether a path below the folder, with slashes, is none of them.
func (f *Files) Ignored(path string) bool {
	skip, err := f.matcher.MatchesOrParentMatches(filepath.FromSlash(path))
	return skip || err != nil
}

// Walk calls fn with each file's path, with slashes, and what is known of it, in
// the paths' order.
func (f *Files) Walk(fn func(path string, info fs.FileInfo) error) error {
	files, err := contextFiles(f.dir, f.matcher, maxContext)
	if err != nil {
		return err
	}
	for _, file := range files {
		if file.info.Mode().IsRegular() {
			if err := fn(file.path, file.info); err != nil {
				return err
			}
		}
	}
	return nil
}

// IsMixProject tells whether a folder holds a mix.exs.
func IsMixProject(dir string) bool { return isFile(filepath.Join(dir, "mix.exs")) }
