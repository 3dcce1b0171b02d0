package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// sourcesOfLayer lists the sources that a layer of dependencies was made with. They are
// removed before those of now are written: the image must not keep those that are gone.
const sourcesOfLayer = "/home/beamyard/.beamyard-sources"

// layer names the image that holds a project's dependencies, compiled. The name is a
// hash of what they rest on: the mix.exs and mix.lock files, config, and the
// dependencies by path. What else mix.exs reads is at hand while they are made.
func (b *mixBuild) layer(p project, from Info, list []entry) string {
	h := sha256.New()
	b.hashInputs(h, p)
	h.Write([]byte("from " + from.ID + "\nfolder " + p.Layout.folder() + "\n"))
	hashEntries(h, slices.DeleteFunc(slices.Clone(list), func(e entry) bool { return !p.dependsOn(e.Name) }))
	return imageName(p.App, b.dir) + ":deps-" + hex.EncodeToString(h.Sum(nil))[:12]
}

// dependsOn tells whether dependencies rest on a file, by its path below the root.
func (p project) dependsOn(name string) bool {
	full := filepath.Join(p.Layout.root(), filepath.FromSlash(strings.TrimSuffix(name, "/")))
	return slices.ContainsFunc(slices.Concat(p.Mix, p.Local), func(f string) bool { return within(f, full) })
}

// dependencies fetches and compiles the dependencies in a workshop, commits what is
// there under the layer's name, and leaves the workshop as the next step needs it. To
// go on in it costs the dependencies' space once more; to start another one on the
// layer would cost a container, and the project would be written a second time.
func (b *mixBuild) dependencies(ctx context.Context, w Workshop, p project, list []entry, ref string) error {
	command := "mix deps.compile"
	if p.external() {
		if !b.ownHex {
			if err := b.quietly(ctx, w, "0:0", "sh", "-c", bringHex); err != nil {
				return err
			}
		}
		// Mix's own git is not the project's.
		command = "( " + withoutShim + "; " + b.fetching(p) + " ) && mix deps.compile"
	}
	if err := b.step(ctx, w, p, 1, 2, command, b.tidy(p)); err != nil {
		return err
	}
	var names strings.Builder
	for _, e := range list {
		if !strings.HasSuffix(e.Name, "/") {
			names.WriteString(workDir + "/" + e.Name + "\x00")
		}
	}
	if err := b.put(ctx, w, []entry{textEntry(path.Base(sourcesOfLayer), names.String(), 0o644)}, path.Dir(sourcesOfLayer)); err != nil {
		return err
	}
	if _, err := w.Commit(ctx, b.commit(ref, p)); err != nil {
		return err
	}
	if err := b.furnish(ctx, w); err != nil {
		return err
	}
	return b.lendGit(ctx, w, path.Join(workDir, p.Layout.place(b.repository.root)))
}

// fetching is the command that fetches dependencies. Hex and Rebar are fetched where
// the base has none; without a dependency from Hex only where a git dependency asks
// for it.
func (b *mixBuild) fetching(p project) string {
	const get = "mix deps.get --only $MIX_ENV"
	if b.ownHex {
		return get
	}
	const install = "mix local.hex --force && mix local.rebar --force"
	if !p.Hex {
		return "{ " + get + " || { " + install + " && " + get + "; }; }"
	}
	return "{ ls -d $MIX_HOME/archives/hex-* >/dev/null 2>&1 || { " + install + "; }; } && " + get
}

// replaceHex puts what stands in the place of Hex among Mix's archives: see nohex.ex.
func (b *mixBuild) replaceHex(ctx context.Context, w Workshop) error {
	const name = "beamyard-no-hex"
	if err := b.put(ctx, w, []entry{textEntry("nohex.ex", noHexText, 0o644)}, scratch); err != nil {
		return err
	}
	as := builder
	if b.ownHex {
		as = "0:0" // the base's own folder may be root's
	}
	return b.quietly(ctx, w, as, "sh", "-c", `to="$MIX_HOME/archives/`+name+`/`+name+`/ebin" && mkdir -p "$to" && elixirc -o "$to" `+scratch+`/nohex.ex`)
}

// bringHex takes Hex and Rebar to where user 1000 may read them, where the base holds
// them in the home of its own user: run by root.
const bringHex = `to=/home/beamyard/.mix
ls -d $to/archives/hex-* >/dev/null 2>&1 && exit 0
for from in /root/.mix /home/*/.mix /opt/mix; do
  if ls -d "$from"/archives/hex-* >/dev/null 2>&1; then
    mkdir -p $to && cp -R "$from"/. $to && chown -R ` + builder + ` $to
    exit 0
  fi
done`
