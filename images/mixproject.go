package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// mixProject is what is read off a project without evaluating it: the machine
// that builds need not have an Elixir. What mix.exs computes is not seen; then
// the tag takes the folder's name and the build fails with Mix's own words.
type mixProject struct {
	app      string   // "" for an umbrella, or where mix.exs computes it
	manifest []string // mix.exs and mix.lock files, by path: what dependencies depend on
	local    []string // folders of path dependencies, which `mix deps.get` must find
	external bool     // it has dependencies that come over the network
	config   bool     // it has a config folder, which dependencies may read
}

var (
	appName  = regexp.MustCompile(`\bapp:\s*(?::([a-z][a-zA-Z0-9_]*)|@([a-z_][a-zA-Z0-9_]*))`)
	appsPath = regexp.MustCompile(`\bapps_path:\s*"([^"]*)"`)
	// A dependency is a tuple that begins with an atom; what follows is told
	// apart by its options. Versions hold a digit, which other strings in
	// tuples of mix.exs (a release's, a documentation's) seldom do.
	dependency = regexp.MustCompile(`\{\s*:[a-z][a-zA-Z0-9_]*\s*,([^{}]*)`)
	depPath    = regexp.MustCompile(`\bpath:\s*"([^"]*)"`)
	depRemote  = regexp.MustCompile(`^\s*"[^"]*[0-9][^"]*"|\b(?:git|github|hex|organization):`)
	lockedDep  = regexp.MustCompile(`\{:(?:hex|git),`)
)

// readMixProject reads mix.exs and mix.lock, those of an umbrella's
// applications and of path dependencies too.
func readMixProject(dir string) (mixProject, error) {
	var p mixProject
	if err := p.read(dir, "."); err != nil {
		return mixProject{}, err
	}
	lock, err := os.ReadFile(filepath.Join(dir, "mix.lock"))
	switch {
	case err == nil:
		p.manifest = append(p.manifest, "mix.lock")
		p.external = p.external || lockedDep.Match(lock)
	case !errors.Is(err, fs.ErrNotExist):
		return mixProject{}, fmt.Errorf("read mix.lock: %w", err)
	}
	info, err := os.Stat(filepath.Join(dir, "config"))
	p.config = err == nil && info.IsDir()
	slices.Sort(p.manifest)
	slices.Sort(p.local)
	return p, nil
}

// fetched are the folders into which Mix fetches dependencies.
func (p *mixProject) fetched() []string {
	var folders []string
	for _, name := range p.manifest {
		if path.Base(name) == "mix.exs" {
			folders = append(folders, path.Join(path.Dir(name), "deps"))
		}
	}
	return folders
}

// read adds the project in the folder rel of dir, a slash path.
func (p *mixProject) read(dir, rel string) error {
	name := path.Join(rel, "mix.exs")
	if slices.Contains(p.manifest, name) {
		return nil // two that depend on one, or on each other
	}
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) && rel != "." {
		return nil // a path dependency that is built by rebar3 or make
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	p.manifest = append(p.manifest, name)
	code := uncommented(string(text))
	if m := appsPath.FindStringSubmatch(code); m != nil {
		if err := p.readUmbrella(dir, path.Join(rel, m[1])); err != nil {
			return err
		}
	} else if rel == "." {
		p.app = readApp(code)
	}
	for _, m := range dependency.FindAllStringSubmatch(code, -1) {
		if where := depPath.FindStringSubmatch(m[1]); where != nil {
			if err := p.readLocal(dir, rel, where[1]); err != nil {
				return err
			}
		} else if depRemote.MatchString(m[1]) {
			p.external = true
		}
	}
	return nil
}

func (p *mixProject) readUmbrella(dir, apps string) error {
	// Not Glob: a project's own folder may be called "[work]".
	entries, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(apps)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // one that is missing is for Mix to complain of
		return fmt.Errorf("list the applications of %s: %w", apps, err)
	}
	for _, e := range entries {
		app := path.Join(apps, e.Name())
		if !isFile(filepath.Join(dir, filepath.FromSlash(app), "mix.exs")) {
			continue
		}
		if err := p.read(dir, app); err != nil {
			return err
		}
	}
	return nil
}

func (p *mixProject) readLocal(dir, rel, where string) error {
	inside := path.Join(rel, where)
	if path.IsAbs(where) || inside == ".." || strings.HasPrefix(inside, "../") {
		return &SourceError{dir, fmt.Sprintf("%s depends on %q, outside of the project's folder", path.Join(rel, "mix.exs"), where),
			"move it into the project's folder, make it a git or hex dependency, or give the folder that holds both, with a Dockerfile"}
	}
	// One that is missing is for Mix to complain of: COPY would, less clearly.
	info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(inside)))
	if err == nil && info.IsDir() && inside != "." && !slices.Contains(p.local, inside) {
		p.local = append(p.local, inside)
	}
	return p.read(dir, inside)
}

// readApp finds "app: :name", or "app: @name" with its "@name :value".
func readApp(code string) string {
	m := appName.FindStringSubmatch(code)
	if m == nil {
		return ""
	}
	if m[1] != "" {
		return m[1]
	}
	value := regexp.MustCompile(`@` + m[2] + `\s+:([a-z][a-zA-Z0-9_]*)`).FindStringSubmatch(code)
	if value == nil {
		return ""
	}
	return value[1]
}

// uncommented leaves out comments: from a "#" that is not in a string to the
// end of its line. "?#" and "?\"" are characters.
func uncommented(code string) string {
	var out strings.Builder
	inString := false
	for i := 0; i < len(code); i++ {
		c := code[i]
		switch {
		case (inString && c == '\\' || !inString && c == '?') && i+1 < len(code):
			out.WriteByte(c)
			i++
			c = code[i]
		case c == '"':
			inString = !inString
		case c == '#' && !inString:
			for i < len(code) && code[i] != '\n' {
				i++
			}
			c = '\n'
		}
		out.WriteByte(c)
	}
	return out.String()
}
