package images

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed evaluate.exs
var evaluateText string

//go:embed nohex.ex
var noHexText string

// answer is the output of evaluate.exs. Its paths are those of the container.
type answer struct {
	Projects []struct {
		Dir       string   `json:"dir"`
		App       string   `json:"app"`
		Main      bool     `json:"main"`
		Umbrella  bool     `json:"umbrella"`
		Compilers []string `json:"compilers"`
		Files     []string `json:"files"`
		DepsPath  string   `json:"deps_path"`
		BuildPath string   `json:"build_path"`
		Sources   []string `json:"sources"`
		Makefile  bool     `json:"makefile"`
		OtherHex  bool     `json:"other_hex"` // dependencies from Hex that this MIX_ENV does not use
		Tests     []string `json:"tests"`     // test_paths of the main project, if not an umbrella
		HasTests  bool     `json:"has_tests"` // at least one of them exists
		Unset     []unset  `json:"unset"`
		Deps      []struct {
			App  string `json:"app"`
			Kind string `json:"kind"` // path, umbrella, git, hex
		} `json:"deps"`
	} `json:"projects"`
	Missing  []string  `json:"missing"`
	Error    *mixError `json:"error"`
	Hex      bool      `json:"hex"` // Mix finds Hex
	AskedGit bool      `json:"asked_git"`
	Tools    []string  `json:"tools"` // those of make, gcc, g++ and git that exist
}

// unset is an environment variable that a template of a release reads, and that is not set.
type unset struct {
	Release string `json:"release"` // "": the only release
	File    string `json:"file"`
	Line    int    `json:"line"`
	Env     string `json:"env"`
}

// mixError is the reason why mix.exs could not be evaluated.
type mixError struct {
	Text    string `json:"text"`
	At      string `json:"at"` // file:line
	Env     string `json:"env"`
	Command string `json:"command"`
	Path    string `json:"path"`
}

// project is Mix's description of a project, with paths of this machine. It is kept from one
// build to the next: see [recall].
type project struct {
	Layout  layout   `json:"layout"`
	App     string   `json:"app,omitempty"`    // "" for an umbrella
	Mix     []string `json:"mix"`              // mix.exs, mix.lock, config: inputs of dependencies
	Local   []string `json:"local"`            // folders of path dependencies, not of umbrella apps
	Hex     bool     `json:"hex,omitempty"`    // it has dependencies from Hex
	NoHex   bool     `json:"no_hex,omitempty"` // Mix asks for an unneeded Hex: see nohex.ex
	Git     bool     `json:"git,omitempty"`    // it has git dependencies
	Tools   bool     `json:"tools,omitempty"`
	UsesGit bool     `json:"uses_git,omitempty"` // it reads its own repository
	Tests   []string `json:"tests,omitempty"`    // where `mix test` looks for tests
	Unset   []unset  `json:"-"`                  // read by its releases
	Shape   string   `json:"shape,omitempty"`    // of the files that were described: see [shapeOf]; "" if unknown
}

// external reports whether dependencies are fetched over the network.
func (p project) external() bool { return p.Hex || p.Git }

// layered reports whether dependencies get a layer of their own.
func (p project) layered() bool { return p.external() || len(p.Local) > 0 }

const (
	scratch   = "/home/beamyard/.beamyard" // used only by a build: it is removed before the commit
	evaluator = scratch + "/evaluate.exs"
	gitUsed   = scratch + "/git-used"
	mirror    = scratch + "/mirror"
	shimPath  = scratch + "/bin"
)

// shim takes the place of git if the repository is not present, and records that it was called:
// the image is then made again with git. Searching the sources for calls of git would be
// guessing. What Mix asks about git dependencies is not the project's question.
const shim = "#!/bin/sh\n" + ofDependency + ": >" + gitUsed + "\necho 'git: not found' >&2\nexit 127\n"

// evaluate has Mix describe the project.
//
// Usually the project's folder holds everything that it needs: it is written where it will be
// built. If a path leads out of the folder, the project is written again below a folder that
// mirrors the paths of this machine, and the targets of its paths are added until none is
// missing. inPlace reports whether the first attempt was sufficient, so that the project is
// already written as it is built.
func (b *mixBuild) evaluate(ctx context.Context, w Workshop, l layout) (p project, inPlace bool, err error) {
	list, _, err := l.entries(b.base.Arch)
	if err != nil {
		return project{}, false, err
	}
	if err := b.furnish(ctx, w); err != nil {
		return project{}, false, err
	}
	if err := b.put(ctx, w, list, workDir); err != nil {
		return project{}, false, err
	}
	if err := b.lendGit(ctx, w, path.Join(workDir, l.place(b.repository.root))); err != nil {
		return project{}, false, err
	}
	a, err := b.ask(ctx, w, l.folder())
	if err != nil {
		return project{}, false, err
	}
	here := func(p string) (string, bool) { // the path on this machine
		rel, below := strings.CutPrefix(p, workDir+"/")
		if p == workDir {
			rel, below = "", true
		}
		return filepath.Join(l.root(), filepath.FromSlash(rel)), below
	}
	if !a.AskedGit && a.Error == nil && len(a.Missing) == 0 && !a.leadsOut(here) {
		p := a.project(l, here)
		if inPlace = p.Layout.root() == l.root() && !slices.ContainsFunc(list, func(e entry) bool { return p.Layout.leaves(e.Name) }); inPlace {
			p.Shape = shapeOf(list)
		}
		return p, inPlace, nil
	}

	l.Parts = []string{b.dir}
	here = func(p string) (string, bool) {
		rel, below := strings.CutPrefix(p, mirror+"/")
		return filepath.FromSlash("/" + rel), below
	}
	if err := b.lendGit(ctx, w, path.Join(mirror, filepath.ToSlash(b.repository.root))); err != nil {
		return project{}, false, err
	}
	for written := map[string]bool{}; ; {
		for _, part := range slices.Clone(l.Parts) {
			if written[part] {
				continue
			}
			written[part] = true
			alone := layout{Dir: part, Parts: []string{part}}
			if info, err := os.Stat(part); err == nil && !info.IsDir() {
				alone.Dir = filepath.Dir(part)
			}
			list, _, err := alone.entries(b.base.Arch)
			if err != nil {
				return project{}, false, err
			}
			if err := b.put(ctx, w, list, path.Join(mirror, filepath.ToSlash(alone.Dir))); err != nil {
				return project{}, false, err
			}
		}
		if a, err = b.ask(ctx, w, path.Join(mirror, filepath.ToSlash(b.dir))); err != nil {
			return project{}, false, err
		}
		more := false
		for _, p := range a.wants(here) {
			if _, err := os.Stat(p); err == nil && !within(p, b.dir) {
				more = l.add(p) || more
			}
		}
		if more {
			continue
		}
		p := a.project(l, here)
		p.UsesGit = a.AskedGit || b.withGit
		switch {
		case a.AskedGit:
			return p, false, errUsesGit
		case a.Error == nil:
			return p, false, nil
		}
		return project{}, false, b.mixFailed(*a.Error)
	}
}

// errUsesGit reports that the project runs git, which was not available.
var errUsesGit = errors.New("the project asks git")

// leadsOut reports whether a path that the projects name is outside.
func (a answer) leadsOut(here func(string) (string, bool)) bool {
	for _, p := range a.Projects {
		for _, f := range slices.Concat([]string{p.DepsPath, p.BuildPath}, p.Files, p.Sources) {
			if _, inside := here(f); !inside {
				return true
			}
		}
	}
	return false
}

// wants returns the paths on this machine that the project refers to.
func (a answer) wants(here func(string) (string, bool)) []string {
	var paths []string
	add := func(p string) {
		if local, inside := here(p); inside {
			paths = append(paths, local)
		}
	}
	for _, p := range a.Missing {
		add(p)
	}
	if a.Error != nil && a.Error.Path != "" {
		add(a.Error.Path)
	}
	for _, p := range a.Projects {
		for _, f := range slices.Concat(p.Files, p.Sources) {
			if within(p.Dir, f) {
				continue
			}
			// A configuration imports files beside it.
			local, inside := here(f)
			if dir := filepath.Dir(local); inside && path.Base(f) == "config.exs" && filepath.Base(dir) == "config" {
				local = dir
			}
			if inside {
				paths = append(paths, local)
			}
		}
	}
	return paths
}

// project translates an answer to the paths of this machine.
func (a answer) project(l layout, here func(string) (string, bool)) project {
	p := project{Layout: l}
	otherHex := false
	p.Layout.Left, p.Layout.Room = nil, nil
	for i, q := range a.Projects {
		dir, inside := here(q.Dir)
		if !inside {
			continue
		}
		if i == 0 {
			p.App = q.App
			for _, u := range q.Unset {
				if local, inside := here(u.File); inside {
					u.File = local
					p.Unset = append(p.Unset, u)
				}
			}
		}
		for _, made := range []string{q.DepsPath, q.BuildPath} {
			if local, inside := here(made); inside {
				p.Layout.Left = append(p.Layout.Left, local)
				p.Layout.Room = append(p.Layout.Room, filepath.Dir(local))
			}
		}
		otherHex = otherHex || q.OtherHex
		for _, tests := range q.Tests {
			if local, inside := here(tests); inside && a.testsOf(i) {
				p.Tests = append(p.Tests, local)
			}
		}
		p.Mix = append(p.Mix, filepath.Join(dir, "mix.exs"))
		for _, f := range q.Files {
			if local, inside := here(f); inside {
				if filepath.Base(filepath.Dir(local)) == "config" {
					local = filepath.Dir(local)
				}
				p.Mix = append(p.Mix, local)
			}
		}
		if !q.Main {
			p.Local = append(p.Local, dir)
		}
		for _, d := range q.Deps {
			p.Hex, p.Git = p.Hex || d.Kind == "hex", p.Git || d.Kind == "git"
		}
		p.Tools = p.Tools || q.Makefile && slices.ContainsFunc(q.Compilers, ownCompiler) || slices.Contains(q.Compilers, "elixir_make")
	}
	p.Tools = p.Tools || p.Git
	p.NoHex = otherHex && !p.external() && !a.Hex
	for _, list := range []*[]string{&p.Mix, &p.Local, &p.Layout.Left, &p.Layout.Room} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return p
}

// ownCompiler reports whether a compiler is not one of Mix's own.
func ownCompiler(name string) bool {
	return !slices.Contains([]string{"yecc", "leex", "erlang", "elixir", "app", "protocols", "xref"}, name)
}

// ask runs evaluate.exs.
func (b *mixBuild) ask(ctx context.Context, w Workshop, dir string) (a answer, err error) {
	var out, said bytes.Buffer
	code, err := w.Run(ctx, Command{Args: []string{"elixir", evaluator, dir, gitUsed}, Env: b.env, User: builder, Dir: "/"}, &out, &said)
	if err != nil {
		return answer{}, b.noElixir(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if code == 0 {
		err = json.Unmarshal([]byte(lines[len(lines)-1]), &a)
	}
	if code != 0 || err != nil {
		if err == nil {
			err = fmt.Errorf("exit code %d", code)
		}
		return answer{}, b.failed(fmt.Errorf("have Mix read mix.exs: %w", err), said.String()+out.String())
	}
	if !b.withGit { // otherwise the base with tools was asked
		b.has = a.Tools
	}
	return a, nil
}
