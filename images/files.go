package images

import (
	"io/fs"
	"path"
	"path/filepath"
	"strings"
)

// Files are the regular files that belong to a Mix project's image: those that its
// build takes in. What is generated, fetched or named in .dockerignore is none of
// them. Where the project needs folders beside its own, they are among them.
type Files struct {
	layout layout
	parts  []part
}

// OpenFiles reads what decides about a project's folder: what Mix said of it when its
// image was made, its .dockerignore, and where its mix.exs files are. Open it again
// when those change.
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
	if err != nil && len(l.Parts) > 1 { // one of its folders is gone
		l = layoutOf(full)
		parts, err = l.parts()
	}
	return &Files{l, parts}, err
}

// Dir is the folder that holds them all, without symbolic links: the project's own, or
// one above it.
func (f *Files) Dir() string { return f.layout.root() }

// Project is the project's folder below it, with slashes: "." where it is that folder.
func (f *Files) Project() string { return path.Clean(f.layout.place(f.layout.Dir)) }

// Ignored tells whether a path below the folder, with slashes, is none of them, and
// holds none of them.
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

// Walk calls fn with each file's path, with slashes, and what is known of it, in
// the paths' order within each part of the project.
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

// IsMixProject tells whether a folder holds a mix.exs.
func IsMixProject(dir string) bool { return isFile(filepath.Join(dir, "mix.exs")) }
