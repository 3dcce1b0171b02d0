package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
)

// dependencies makes the image that holds a project's dependencies, compiled, and
// nothing else of the project. Its name is a hash of what they rest on: the mix.exs
// and mix.lock files, config, and the dependencies by path. What else mix.exs reads is
// at hand while they are made.
func (b *mixBuild) dependencies(ctx context.Context, p project, from Info, list []entry) (Info, error) {
	h := sha256.New()
	b.hashInputs(h, p)
	h.Write([]byte("from " + from.ID + "\nfolder " + p.Layout.folder() + "\n"))
	hashEntries(h, slices.DeleteFunc(slices.Clone(list), func(e entry) bool { return !p.dependsOn(e.Name) }))
	ref := imageName(p.App, b.dir) + ":deps-" + hex.EncodeToString(h.Sum(nil))[:12]
	if id, err := find(ctx, b.eng, ref); err != nil {
		return Info{}, err
	} else if id == "" {
		if err := b.makeDependencies(ctx, p, from, list, ref); err != nil {
			return Info{}, err
		}
	}
	info, err := b.eng.Image(ctx, ref)
	// A workshop that is committed takes what the base runs.
	info.Entrypoint, info.Cmd = from.Entrypoint, from.Cmd
	return info, err
}

// dependsOn tells whether dependencies rest on a file, by its path below the root.
func (p project) dependsOn(name string) bool {
	full := filepath.Join(p.Layout.root(), filepath.FromSlash(strings.TrimSuffix(name, "/")))
	return slices.ContainsFunc(slices.Concat(p.Mix, p.Local), func(f string) bool { return within(f, full) })
}

func (b *mixBuild) makeDependencies(ctx context.Context, p project, from Info, list []entry, ref string) error {
	w, err := b.eng.Start(ctx, WorkshopSpec{Image: from, Network: p.external()})
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	if err := b.moveIn(ctx, w, p, list); err != nil {
		return err
	}
	command := "mix deps.compile"
	if p.external() {
		if !b.ownHex {
			if err := b.quietly(ctx, w, "0:0", "sh", "-c", bringHex); err != nil {
				return err
			}
		}
		command = b.fetching(p) + " && mix deps.compile"
	}
	// Sources change, and their image must not keep those that are gone by then.
	var names strings.Builder
	for _, e := range list {
		if !strings.HasSuffix(e.Name, "/") {
			names.WriteString(workDir + "/" + e.Name + "\x00")
		}
	}
	if err := b.put(ctx, w, []entry{textEntry("sources", names.String(), 0o644)}, scratch); err != nil {
		return err
	}
	if err := b.step(ctx, w, p, 1, 2, command, "xargs -0 rm -f <"+scratch+"/sources && "+b.tidy(p)); err != nil {
		return err
	}
	_, err = w.Commit(ctx, b.commit(ref, p))
	return err
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
