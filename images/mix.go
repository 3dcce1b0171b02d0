package images

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"text/template"
)

// The template has few steps, because each costs the classic builder a
// container and a commit: about 1.2 s on fuse-overlayfs, whatever the step does.
// Those before the first COPY are in the engine's cache after the first build on
// a base. There is no CMD: the cluster gives each node its own command.
//
//go:embed mix.Dockerfile.tmpl
var mixText string

var mixTemplate = template.Must(template.New("Dockerfile").Funcs(template.FuncMap{
	"dir": func(p string) string { return path.Dir(p) + "/" },
	// The JSON form, because a name may hold a space.
	"copy": func(from, to string) (string, error) {
		words, err := json.Marshal([]string{from, to})
		return string(words), err
	},
}).Parse(mixText))

// mixDockerfile is what the template needs to know.
type mixDockerfile struct {
	Base     string
	Env      string // what the base's environment lacks
	Prepared bool   // the base has the folders and the working directory
	NotRoot  bool   // the base's user is another than root, who prepares
	OwnHex   bool   // the base names a MIX_HOME of its own: it brings Hex and Rebar
	External bool
	Config   bool
	Manifest []string
	Local    []string
	Release  string // what makes a release; "": none is made
}

// ReleaseScript starts the release of a Mix project's image: a link to the release's
// own bin/NAME, because mix.exs may compute the name. The release is beside it,
// whatever path mix.exs says, in a folder that no source is copied to.
const ReleaseScript = workDir + "/_build/run"

// makeRelease is the command that makes a release, the only or default one where
// name is "". The link is absolute: the scripts of Elixir 1.14 follow no other.
func makeRelease(name string) string {
	if name != "" {
		name += " "
	}
	return "mix release " + name + `--quiet --path _build/release && ln -s "$PWD/_build/release/bin/$(basename _build/release/releases/*/*.rel .rel)" ` + ReleaseScript
}

// homeEnv is the environment of every Mix image: UTF-8, because Elixir garbles
// other output; a shell for ports that ask for one; homes that user 1000 may
// write to.
var homeEnv = []string{"LANG=C.UTF-8", "SHELL=/bin/sh", "HOME=/home/beamyard", "MIX_HOME=/home/beamyard/.mix", "HEX_HOME=/home/beamyard/.hex"}

const workDir = "/app"

func newMixDockerfile(ref string, base Info, o Options, p mixProject) mixDockerfile {
	d := mixDockerfile{
		Base:     ref,
		Prepared: base.Labels[imageLabel] != "" && base.WorkingDir == workDir,
		External: p.external, Config: p.config, Manifest: p.manifest, Local: p.local,
	}
	user, _, _ := strings.Cut(base.User, ":")
	d.NotRoot = !d.Prepared && user != "" && user != "0" && user != "root"
	d.OwnHex = slices.ContainsFunc(base.Env, func(e string) bool {
		return strings.HasPrefix(e, "MIX_HOME=") && !slices.Contains(homeEnv, e)
	})
	var lacks []string
	for _, e := range append(slices.Clone(homeEnv), "MIX_ENV="+o.MixEnv) {
		hex := strings.HasPrefix(e, "MIX_HOME=") || strings.HasPrefix(e, "HEX_HOME=")
		if !slices.Contains(base.Env, e) && (!hex || !d.OwnHex) {
			lacks = append(lacks, e)
		}
	}
	d.Env = strings.Join(lacks, " ")
	if o.Release {
		d.Release = makeRelease(o.ReleaseName)
	}
	return d
}

func (d mixDockerfile) render() ([]byte, error) {
	var text bytes.Buffer
	if err := mixTemplate.Execute(&text, d); err != nil {
		return nil, fmt.Errorf("render Dockerfile: %w", err)
	}
	return text.Bytes(), nil
}

// generated is the rendered Dockerfile's name in the context. The engine takes
// it away again before the first step, because the context's .dockerignore
// names it: it would be a file of the project's otherwise.
const generated = ".beamyard.Dockerfile"

func resolveMix(ctx context.Context, eng Engine, src Source, o Options) (Image, error) {
	if notInEnv(o.MixEnv) {
		return Image{}, &SourceError{o.MixEnv, "is no MIX_ENV", "give dev, prod, test, or another lower-case name"}
	}
	project, err := readMixProject(src.Dir)
	if err != nil {
		return Image{}, err
	}
	baseRef, base, err := ensureBase(ctx, eng, o.Base, o.Progress)
	if err != nil {
		return Image{}, err
	}
	text, err := newMixDockerfile(baseRef, base, o, project).render()
	if err != nil {
		return Image{}, err
	}
	var include []string
	if src.Beside != "" && o.MixEnv == "test" {
		include = tests
	}
	return build(ctx, eng, recipe{
		src: src, include: include, app: project.app, dockerfile: generated, bases: []string{base.ID},
		extra: map[string][]byte{
			generated:       text,
			".dockerignore": []byte(generated + "\n.dockerignore\n"),
		},
		ignore: append(project.fetched(), ignored...), noNetwork: !project.external, progress: o.Progress,
	})
}

// tests are where a project has its suite. The .dockerignore beside a Dockerfile of
// production (`mix phx.gen.release --docker`) leaves them out.
var tests = []string{"!test", "!apps/*/test"}

func notInEnv(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != ""
}
