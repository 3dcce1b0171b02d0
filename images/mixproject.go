package images

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// mixProject is what is read off a project without evaluating it.
type mixProject struct {
	app      string   // "" for an umbrella, or where mix.exs computes it
	manifest []string // mix.exs and mix.lock files, by path: what dependencies depend on
	external bool     // it has dependencies that come over the network
	config   bool     // it has a config folder, which dependencies may read
}

var (
	appName = regexp.MustCompile(`(?m)^[^#\n]*?\bapp:\s*:([a-z][a-zA-Z0-9_]*)`)
	// A requirement ("~> 1.0"), a repository: a dependency from elsewhere.
	externalDep = regexp.MustCompile(`(?m)^[^#\n]*\{\s*:[a-z][a-zA-Z0-9_]*\s*,\s*("[^"]*[0-9][^"]*"|(git|github|hex|organization):)`)
	lockedDep   = regexp.MustCompile(`\{:(hex|git),`)
	outsideDep  = regexp.MustCompile(`(?m)^[^#\n]*\bpath:\s*"(\.\./[^"]*|/[^"]*)"`)
)

// readMixProject reads mix.exs and mix.lock, of an umbrella's applications too.
func readMixProject(dir string) (mixProject, error) {
	var p mixProject
	root, err := os.ReadFile(filepath.Join(dir, "mix.exs"))
	if err != nil {
		return p, fmt.Errorf("read mix.exs: %w", err)
	}
	if m := appName.FindSubmatch(root); m != nil && !bytes.Contains(root, []byte("apps_path:")) {
		p.app = string(m[1])
	}
	for _, pattern := range []string{"mix.exs", "mix.lock", "apps/*/mix.exs"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return p, err
		}
		for _, path := range found {
			text, err := os.ReadFile(path)
			if err != nil {
				return p, err
			}
			if filepath.Base(path) == "mix.exs" && pattern == "mix.exs" {
				if m := outsideDep.FindSubmatch(text); m != nil {
					return p, &SourceError{dir, fmt.Sprintf("depends on %s, outside of the project's folder", m[1]),
						"give the folder that holds both, with a Dockerfile, or make it a git or hex dependency"}
				}
			}
			p.external = p.external || externalDep.Match(text) || lockedDep.Match(text)
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return p, err
			}
			p.manifest = append(p.manifest, filepath.ToSlash(rel))
		}
	}
	info, err := os.Stat(filepath.Join(dir, "config"))
	p.config = err == nil && info.IsDir()
	return p, nil
}
