package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// Packages are Debian packages added to a Mix project's base. Build packages are
// installed where the project is compiled, together with make, gcc, g++, erlang-dev and
// git; Run packages where it runs. Without either, a project is compiled on the base that
// it runs on, unless it needs those tools.
type Packages struct {
	Build []string
	Run   []string
}

func (p Packages) check() error {
	for _, name := range slices.Concat(p.Build, p.Run) {
		if !debianPackage.MatchString(name) {
			return &SourceError{name, "is not a valid Debian package name", "write packages: {build: [libvips-dev], run: [libvips42]}"}
		}
	}
	return nil
}

// buildTools are needed by dependencies with C code, and by git dependencies.
var buildTools = []string{"make", "gcc", "g++", "libc6-dev", "git"}

// toolsBase is the base with tools, and with the packages of Packages.Build.
func (b *mixBuild) toolsBase(ctx context.Context) (Info, error) {
	if len(b.o.Packages.Build) == 0 && !slices.ContainsFunc(buildTools, func(t string) bool { return t != "libc6-dev" && !slices.Contains(b.has, t) }) {
		return b.base, nil // as in Debian's larger images
	}
	return b.withPackages(ctx, slices.Concat(buildTools, b.o.Packages.Build))
}

// withPackages returns the base with more packages: a root file system if the base is one that
// is made here, otherwise an image made by the base's own package manager.
func (b *mixBuild) withPackages(ctx context.Context, packages []string) (Info, error) {
	for suite := range suites {
		if b.baseRef == debianRef(Source{Kind: Debian, Suite: suite}) {
			info, _, err := ensureDebian(ctx, b.eng, Source{Kind: Debian, Suite: suite, More: packages}, b.progress)
			return info, err
		}
	}
	sum := sha256.Sum256([]byte(b.base.ID + strings.Join(packages, "\n")))
	ref := "beamyard/base:" + hex.EncodeToString(sum[:])[:12]
	info, err := b.eng.Image(ctx, ref)
	if !errors.Is(err, ErrNotFound) {
		info.Entrypoint, info.Cmd = b.base.Entrypoint, b.base.Cmd
		return info, err
	}
	unlock, err := lock(ctx, ref)
	if err != nil {
		return Info{}, err
	}
	defer unlock()
	w, err := b.eng.Start(ctx, WorkshopSpec{Image: b.base, Network: true})
	if err != nil {
		return Info{}, err
	}
	defer func() { _ = w.Close() }()
	names := strings.Join(packages, " ") // without characters special to a shell, see [Packages.check]
	fmt.Fprintf(b.progress, "installing %s in %s, once\n", names, b.baseRef)
	fmt.Fprintf(b.progress, "Step 1/1 : RUN install %s\n", names)
	out := &step{w: b.progress, begun: true}
	code, err := w.Run(ctx, Command{Args: []string{"sh", "-c", install, "sh", names}, User: "0:0", Dir: "/"}, out, out)
	if err != nil {
		return Info{}, err
	}
	if code != 0 {
		failed := b.failed(fmt.Errorf("packages %s cannot be installed in %s", names, b.baseRef), strings.Join(append(out.lines, string(out.open)), "\n"))
		failed.Next = hint.Newf("give a base that has them: %s; or one that is made of Debian packages on this machine: %s", hint.Setting("base_image: IMAGE"), hint.Setting("base_image: "+defaultSuite))
		return Info{}, failed
	}
	user := b.base.User
	if user == "" {
		user = "0:0"
	}
	dir := b.base.WorkingDir
	if dir == "" {
		dir = "/"
	}
	if _, err := w.Commit(ctx, Commit{Ref: ref, User: user, WorkingDir: dir}); err != nil {
		return Info{}, err
	}
	fmt.Fprintf(b.progress, "Successfully built %s\n", ref)
	return b.eng.Image(ctx, ref)
}

// install runs apt or apk, as root. Alpine's names of the tools differ.
const install = `export DEBIAN_FRONTEND=noninteractive
if command -v apt-get >/dev/null; then
  apt-get update -q && apt-get install -qy --no-install-recommends $1 && rm -rf /var/lib/apt/lists/*
elif command -v apk >/dev/null; then
  apk add --no-cache $(echo " $1 " | sed 's/ libc6-dev / musl-dev /')
else
  echo "it has neither apt-get nor apk"; exit 1
fi`
