package images

import (
	"io/fs"
	"path"
	"path/filepath"
	"strings"
)

// Files are the regular files that a Mix project's build copies into its image. Generated
// files, fetched files, and files named in .dockerignore are excluded. If the project
// needs folders beside its own, their files are included.
type Files struct {
	layout layout
	parts  []part
}

// OpenFiles reads what determines the files of a project's folder: Mix's description of
// the project from its last build, its .dockerignore, and the locations of its mix.exs
// files. Call it again when any of these changes.
func OpenFiles(dir string) (*Files, error) {
	full, err := filepath.Abs(dir)
	if err == nil {
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		return nil, err
	}
	l := latest(full)
	parts, err := l.parts()
	if err != nil && len(l.Parts) > 1 { // one of its folders no longer exists
		l = layoutOf(full)
		parts, err = l.parts()
	}
	return &Files{l, parts}, err
}

// Dir returns the folder that contains all the files, with symbolic links resolved: the
// project's own folder, or one above it.
func (f *Files) Dir() string { return f.layout.root() }

// Project returns the project's folder relative to Dir, with slashes; "." if they are
// equal.
func (f *Files) Project() string { return path.Clean(f.layout.place(f.layout.Dir)) }

// Ignored reports whether a path relative to Dir, with slashes, is not one of the files
// and contains none of them.
func (f *Files) Ignored(p string) bool {
	for _, part := range f.parts {
		rel, below := p, part.at == ""
		if !below {
			if p == part.at || strings.HasPrefix(part.at, p+"/") {
				return false
			}
			rel, below = strings.CutPrefix(p, part.at+"/")
		}
		if below && !part.file && !part.ignores(rel) {
			return false
		}
	}
	return true
}

// Walk calls fn with each file's path, with slashes, and its FileInfo. Within each part
// of the project, paths are in order.
func (f *Files) Walk(fn func(path string, info fs.FileInfo) error) error {
	seen := map[string]bool{}
	for _, part := range f.parts {
		files, err := part.files(maxContext)
		if err != nil {
			return err
		}
		for _, file := range files {
			name := path.Join(part.at, file.path)
			if !file.info.Mode().IsRegular() || seen[name] {
				continue
			}
			seen[name] = true
			if err := fn(name, file.info); err != nil {
				return err
			}
		}
	}
	return nil
}

// IsMixProject reports whether a folder contains a mix.exs.
func IsMixProject(dir string) bool { return isFile(filepath.Join(dir, "mix.exs")) }
