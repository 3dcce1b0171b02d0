package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// ReleaseScript starts the release of a Mix project's image. It is a link to the
// release's own bin/NAME, because mix.exs may compute the name. The release is in a
// folder beside the link, whatever path mix.exs specifies; no source is copied to that
// folder.
const ReleaseScript = workDir + "/_build/run"

// makeRelease is the command that makes a release, or the only or default one if name is "".
// The link is absolute: the scripts of Elixir 1.14 do not follow others.
func makeRelease(name string) string {
	if name != "" {
		name += " "
	}
	const made = workDir + "/_build/release"
	return "mix release " + name + "--quiet --path " + made + " && ln -s " + made + `/bin/"$(basename ` + made + `/releases/*/*.rel .rel)" ` + ReleaseScript
}

// homeEnv is the environment of every Mix image: UTF-8, because Elixir garbles other output; a
// shell for ports that need one; homes that user 1000 can write to.
var homeEnv = []string{"LANG=C.UTF-8", "SHELL=/bin/sh", "HOME=/home/beamyard", "MIX_HOME=/home/beamyard/.mix", "HEX_HOME=/home/beamyard/.hex"}

const (
	workDir = "/app"
	// builder is the user who compiles in a workshop, and runs the image.
	builder = "1000:1000"
	// asksGit is the exit code of a step that called git without finding it.
	asksGit = 93
)

// mixBuild makes the image of one Mix project. Its steps run in a [Workshop], not in a
// Dockerfile: what a Dockerfile copies, a secret or a repository, stays in a layer, and each of
// its instructions costs a container and a commit (1.2 s on fuse-overlayfs).
type mixBuild struct {
	eng      Engine
	o        Options
	src      Source
	dir      string // absolute, without links
	baseRef  string
	base     Info
	ownHex   bool     // the base sets its own MIX_HOME: it has Hex and Rebar
	env      []string // of each command
	has      []string // tools of the base in which Mix was asked
	withGit  bool     // commands find git and the repository
	progress io.Writer

	repository repository
}

func resolveMix(ctx context.Context, eng Engine, src Source, o Options) (Image, error) {
	if notInEnv(o.MixEnv) {
		return Image{}, &SourceError{o.MixEnv, "is not a valid MIX_ENV", "give dev, prod, test, or another lower-case name"}
	}
	if err := o.Packages.check(); err != nil {
		return Image{}, err
	}
	full, err := filepath.Abs(src.Dir)
	if err == nil {
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		return Image{}, fmt.Errorf("find the project's folder: %w", err)
	}
	b := &mixBuild{eng: eng, o: o, src: src, dir: full, progress: o.Progress, repository: findRepository(full)}
	if b.baseRef, b.base, err = ensureBase(ctx, eng, o.Base, o.Progress); err != nil {
		return Image{}, err
	}
	b.ownHex = slices.ContainsFunc(b.base.Env, func(e string) bool {
		return strings.HasPrefix(e, "MIX_HOME=") && !slices.Contains(homeEnv, e)
	})
	b.environ()

	if image, _, err := b.known(ctx); err != nil || image.ID != "" {
		return image, err
	}
	unlock, err := lock(ctx, "mix "+b.memory())
	if err != nil {
		return Image{}, err
	}
	defer unlock()
	image, known, err := b.known(ctx)
	if err != nil || image.ID != "" {
		return image, err // another process has built it
	}
	image, err = b.make(ctx, known)
	if ctx.Err() != nil {
		return Image{}, ctx.Err()
	}
	return image, err
}

// environ sets the environment of every command of the build: that of the nodes, and the
// position of git in the path.
func (b *mixBuild) environ() {
	b.env = append(b.homes(), "MIX_ENV="+b.o.MixEnv)
	for _, key := range sortedKeys(b.o.Env) {
		b.env = append(b.env, key+"="+b.o.Env[key])
	}
	if b.repository.root != "" {
		paths := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
		for _, e := range b.base.Env {
			if p, ok := strings.CutPrefix(e, "PATH="); ok {
				paths = p
			}
		}
		b.env = append(b.env, "PATH="+shimPath+":"+paths)
	}
}

// homes is [homeEnv], without Hex's if the base has its own.
func (b *mixBuild) homes() []string {
	return slices.DeleteFunc(slices.Clone(homeEnv), func(e string) bool {
		return b.ownHex && (strings.HasPrefix(e, "MIX_HOME=") || strings.HasPrefix(e, "HEX_HOME="))
	})
}

// known searches for the image of the project in its current state, using the stored answers.
func (b *mixBuild) known(ctx context.Context) (Image, *project, error) {
	p, ok := recall(b.dir, b.memory())
	if !ok {
		return Image{}, nil, nil
	}
	files := seenOf(b.dir)
	list, _, err := p.Layout.entriesBy(b.base.Arch, files.entry)
	if err != nil {
		return Image{}, nil, nil //nolint:nilerr // something of it is gone: Mix is asked anew
	}
	files.keep()
	if err := b.suite(p, list); err != nil {
		return Image{}, nil, err
	}
	image := b.image(p, list)
	if err = b.seek(ctx, &image); image.ID != "" {
		remember(b.dir, b.memory(), p)
	}
	return image, &p, err
}

// seek fills in what is known of an image if it exists.
func (b *mixBuild) seek(ctx context.Context, image *Image) error {
	info, err := look(ctx, b.eng, image.Ref)
	image.ID, image.Boot = info.ID, info.Labels[bootLabel]
	return err
}

// image is the project's image, with a name that is a hash of all its inputs.
func (b *mixBuild) image(p project, list []entry) Image {
	h := sha256.New()
	b.hashInputs(h, p)
	fmt.Fprintf(h, "release %t %q\nfolder %s\n", b.o.Release, b.o.ReleaseName, p.Layout.folder())
	hashEntries(h, list)
	return Image{Ref: imageName(p.App, b.dir) + ":" + hex.EncodeToString(h.Sum(nil))[:12], Kind: Mix, App: p.App}
}

// hashInputs adds the inputs that the dependencies share.
func (b *mixBuild) hashInputs(h io.Writer, p project) {
	fmt.Fprintf(h, "mix 2\nbase %s\npackages %q %q\nevaluator %x\n", b.base.ID, b.o.Packages.Build, b.o.Packages.Run, sha256.Sum256([]byte(evaluateText+noHexText+bootText+recordText)))
	// Values are hashed one by one, so that no text of this hash contains a secret.
	for _, e := range append(b.homes(), "MIX_ENV="+b.o.MixEnv) {
		fmt.Fprintf(h, "env %s\n", e)
	}
	for _, key := range sortedKeys(b.o.Env) {
		fmt.Fprintf(h, "env %s %x\n", key, sha256.Sum256([]byte(b.o.Env[key])))
	}
	if p.UsesGit {
		fmt.Fprintf(h, "git %s\n", b.repository.state())
	}
	if p.Git {
		fmt.Fprintf(h, "git of dependencies %x\n", sha256.Sum256([]byte(ofDependency)))
	}
}

// make has Mix describe the project, and makes its image.
func (b *mixBuild) make(ctx context.Context, known *project) (Image, error) {
	p := project{Layout: layoutOf(b.dir)}
	var doubted error
	if known != nil {
		p = *known
		if b.assumable(p) {
			image, err := b.makeAs(ctx, p, nil, assumed)
			if err == nil || ctx.Err() != nil {
				if err == nil {
					remember(b.dir, b.memory(), p)
				}
				return image, err
			}
			doubted = err
		}
	}
	w, err := b.eng.Start(ctx, WorkshopSpec{Image: b.base})
	if err != nil {
		return Image{}, err
	}
	defer func() { _ = w.Close() }()
	asked := p.UsesGit
	how := apart
	if !asked {
		var inPlace bool
		if p, inPlace, err = b.evaluate(ctx, w, p.Layout); inPlace {
			how = written
		}
	}
	if asked || errors.Is(err, errUsesGit) {
		fmt.Fprintln(b.progress, atHand)
		// In a separate workshop: the first one keeps the base.
		if p, err = b.evaluateWithGit(ctx); err != nil {
			return Image{}, err
		}
		how = apart
	}
	if err != nil {
		return Image{}, err
	}
	var wrong *BuildError
	if errors.As(doubted, &wrong) && !wrong.wantsTools && same(p, *known) {
		return Image{}, doubted // Mix says what it said before: the sources are wrong
	}
	if known != nil {
		p.Tools = p.Tools || known.Tools && slices.Equal(known.Layout.Parts, p.Layout.Parts)
	}
	for {
		image, err := b.makeAs(ctx, p, w, how)
		how = apart
		var failed *BuildError
		switch {
		case errors.Is(err, errUsesGit):
			fmt.Fprintln(b.progress, atHand)
			if p, err = b.evaluateWithGit(ctx); err != nil {
				return Image{}, err
			}
		case errors.As(err, &failed) && failed.wantsTools && !p.Tools:
			fmt.Fprintln(b.progress, "the project needs tools: it is built again where make, gcc and git are at hand")
			p.Tools = true
		default:
			if err == nil {
				remember(b.dir, b.memory(), p)
			}
			return image, err
		}
	}
}

// evaluateWithGit has Mix describe the project with git and its repository present.
func (b *mixBuild) evaluateWithGit(ctx context.Context) (project, error) {
	b.withGit = true
	b.environ()
	tools, err := b.toolsBase(ctx)
	if err != nil {
		return project{}, err
	}
	w, err := b.eng.Start(ctx, WorkshopSpec{Image: tools})
	if err != nil {
		return project{}, err
	}
	defer func() { _ = w.Close() }()
	l := layoutOf(b.dir)
	l.Room = append(l.Room, b.repository.root)
	q, _, err := b.evaluate(ctx, w, l)
	if err != nil {
		return project{}, err
	}
	q.UsesGit, q.Tools = true, true
	q.Layout.Room = append(q.Layout.Room, b.repository.root)
	return q, nil
}

// assumable reports whether Mix's answer for the project can be assumed to be still true if
// only code has changed. It also says which tools the base has, which is not remembered, and
// what a release reads.
func (b *mixBuild) assumable(p project) bool {
	return p.Shape != "" && !p.UsesGit && !p.Tools && len(b.o.Packages.Build) == 0 && !b.o.Release
}

// basis says where makeAs begins.
type basis int

const (
	apart   basis = iota // in a new workshop
	written              // in the workshop in which Mix was asked, which holds the project
	assumed              // in a new workshop, and Mix was not asked: see [mixBuild.assumable]
)

// errReshaped reports that more than code has changed since Mix was asked.
var errReshaped = errors.New("the project has changed")

// makeAs makes the image of a project, in w if that already holds it.
func (b *mixBuild) makeAs(ctx context.Context, p project, w Workshop, begin basis) (Image, error) {
	list, foreign, err := p.Layout.entries(b.base.Arch)
	if err != nil {
		return Image{}, err
	}
	if begin == assumed && shapeOf(list) != p.Shape {
		return Image{}, errReshaped
	}
	if err := b.suite(p, list); err != nil {
		return Image{}, err
	}
	image := b.image(p, list)
	if err = b.seek(ctx, &image); err != nil || image.ID != "" {
		return image, err
	}
	if len(foreign) > 0 {
		b.note("left out, as it was compiled for another system: %s", strings.Join(foreign, ", "))
	}
	from, runs := b.base, b.base
	if len(b.o.Packages.Run) > 0 {
		if runs, err = b.withPackages(ctx, b.o.Packages.Run); err != nil {
			return Image{}, err
		}
		from = runs
	}
	if p.Tools || len(b.o.Packages.Build) > 0 {
		if from, err = b.toolsBase(ctx); err != nil {
			return Image{}, err
		}
	}
	elsewhere, begun := from.ID != runs.ID, from
	layer, there := "", false
	if p.layered() {
		layer = b.layer(p, from, list)
		info, err := b.eng.Image(ctx, layer)
		switch there = err == nil; {
		case there:
			info.Entrypoint, info.Cmd = runs.Entrypoint, runs.Cmd // inherited by a commit
			from = info
		case !errors.Is(err, ErrNotFound):
			return Image{}, err
		}
	}
	if begin != written || from.ID != b.base.ID || p.external() {
		if w, err = b.eng.Start(ctx, WorkshopSpec{Image: from, Network: p.external()}); err != nil {
			return Image{}, err
		}
		defer func() { _ = w.Close() }()
		missing := list
		if there {
			if missing, err = b.updateSources(ctx, w, list); err != nil {
				return Image{}, err
			}
		}
		if err := b.moveIn(ctx, w, p, missing); err != nil {
			return Image{}, err
		}
	}
	if p.NoHex && !there {
		if err := b.replaceHex(ctx, w); err != nil {
			return Image{}, err
		}
	}
	compile := "mix compile"
	if b.o.Release {
		b.noteUnset(p)
		compile += " && mkdir -p " + workDir + "/_build && " + makeRelease(b.o.ReleaseName)
	}
	steps := 1
	if layer != "" && !there {
		steps = 2
		if err := b.dependencies(ctx, w, p, list, layer); err != nil {
			return Image{}, err
		}
	}
	if err := b.step(ctx, w, p, steps, steps, compile, b.tidy(p)); err != nil {
		return Image{}, err
	}
	if err := b.lookForSecrets(ctx, w); err != nil {
		return Image{}, err
	}
	if elsewhere {
		slim, err := b.eng.Start(ctx, WorkshopSpec{Image: runs})
		if err != nil {
			return Image{}, err
		}
		defer func() { _ = slim.Close() }()
		if err := carry(ctx, w, slim); err != nil {
			return Image{}, err
		}
		w = slim
	}
	if b.withGit || p.Git && elsewhere {
		git := textEntry("git", replay, 0o755)
		git.Uid, git.Gid = 0, 0
		text, err := archiveOf([]entry{git})
		if err == nil {
			err = w.Write(ctx, "/usr/local/bin", text)
		}
		if err != nil {
			return Image{}, err
		}
	}
	commit := b.commit(image.Ref, p)
	if !b.o.Release { // a release has its own boot script
		if image.Boot, err = b.recordOnce(ctx, w, p, b.recordingKey(p, begun, layer, list), begin); err != nil {
			return Image{}, err
		}
		commit.Labels[bootLabel] = image.Boot
	}
	if image.ID, err = w.Commit(ctx, commit); err != nil {
		return Image{}, err
	}
	image.Built = true
	return image, nil
}

func (b *mixBuild) commit(ref string, p project) Commit {
	c := Commit{Ref: ref, User: builder, WorkingDir: p.Layout.folder(), Env: append(b.homes(), "MIX_ENV="+b.o.MixEnv), Labels: map[string]string{imageLabel: Mix.String()}}
	return c
}

func notInEnv(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != ""
}

// note sends a message about the image to the user.
func (b *mixBuild) note(format string, args ...any) {
	if b.o.Note != nil {
		b.o.Note(fmt.Sprintf(format, args...))
		return
	}
	fmt.Fprintf(b.progress, format+"\n", args...)
}
