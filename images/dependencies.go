package images

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// sourcesOfLayer is the file that lists the sources that a layer of dependencies was made with,
// and still holds: a JSON object of [entry.id] by name. A build that begins with the layer
// writes what is new, and removes what is gone: writing all of a project's files again takes
// longer than all else that a build does beside compiling.
const sourcesOfLayer = "/home/beamyard/.beamyard-sources"

// changedSources prints those of the listed files that the commands of a build have changed or
// removed: what a build writes has the list's own modification time, see [epoch].
const changedSources = `cd ` + workDir + ` && xargs -0 sh -c 'for f; do [ -f "$f" ] && ! [ -L "$f" ] && ! [ "$f" -nt ` + sourcesOfLayer + ` ] || printf "%s\0" "$f"; done' sh <` + sourcesOfLayer

// layer names the image that holds a project's compiled dependencies. The name is a hash of
// what they depend on: the mix.exs and mix.lock files, config, and the dependencies by path.
// Other files that mix.exs reads are available while they are made, but not part of the hash.
func (b *mixBuild) layer(p project, from Info, list []entry) string {
	h := sha256.New()
	b.hashInputs(h, p)
	h.Write([]byte("layer 2\nfrom " + from.ID + "\nfolder " + p.Layout.folder() + "\n"))
	hashEntries(h, slices.DeleteFunc(slices.Clone(list), func(e entry) bool { return !p.dependsOn(e.Name) }))
	return imageName(p.App, b.dir) + ":deps-" + hex.EncodeToString(h.Sum(nil))[:12]
}

// dependsOn reports whether dependencies depend on a file, given by its path below the root.
func (p project) dependsOn(name string) bool {
	full := filepath.Join(p.Layout.root(), filepath.FromSlash(strings.TrimSuffix(name, "/")))
	return slices.ContainsFunc(slices.Concat(p.Mix, p.Local), func(f string) bool { return within(f, full) })
}

// dependencies fetches and compiles the dependencies in a workshop, commits the result under
// the layer's name, and prepares the workshop for the next step. Continuing in it costs the
// dependencies' space a second time; starting another one on the layer would cost a container,
// and the project would be written twice.
func (b *mixBuild) dependencies(ctx context.Context, w Workshop, p project, list []entry, ref string) error {
	command := "mix deps.compile"
	if p.external() {
		if !b.ownHex {
			if err := b.quietly(ctx, w, "0:0", "sh", "-c", bringHex); err != nil {
				return err
			}
		}
		// When Mix itself calls git, that does not mean that the project does.
		command = "( " + withoutShim + "; " + b.fetching(p) + " ) && mix deps.compile"
	}
	if err := b.step(ctx, w, p, 1, 2, command, b.tidy(p)); err != nil {
		return err
	}
	if err := b.listSources(ctx, w, list); err != nil {
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

// listSources writes [sourcesOfLayer].
func (b *mixBuild) listSources(ctx context.Context, w Workshop, list []entry) error {
	holds, names := map[string]string{}, strings.Builder{}
	for _, e := range list {
		holds[e.Name] = e.id()
		if e.Typeflag == tar.TypeReg {
			names.WriteString(e.Name + "\x00")
		}
	}
	write := func(text string) error {
		return b.put(ctx, w, []entry{textEntry(path.Base(sourcesOfLayer), text, 0o644)}, path.Dir(sourcesOfLayer))
	}
	if err := write(names.String()); err != nil {
		return err
	}
	var changed, said strings.Builder
	code, err := w.Run(ctx, Command{Args: []string{"sh", "-c", changedSources}, Env: b.env, User: builder, Dir: "/"}, &changed, &said)
	if err == nil && code != 0 {
		err = b.failed(fmt.Errorf("look at the sources: exit code %d", code), said.String())
	}
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(changed.String(), "\x00") {
		if _, there := holds[name]; there {
			holds[name] = "" // like no entry: it is written again
		}
	}
	text, err := json.Marshal(holds)
	if err != nil {
		return fmt.Errorf("list the sources: %w", err)
	}
	return write(string(text))
}

// updateSources makes the sources in a workshop on a layer those of the list, by what the layer
// holds.
func (b *mixBuild) updateSources(ctx context.Context, w Workshop, list []entry) (missing []entry, err error) {
	holds, err := b.sourcesIn(ctx, w)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if holds[e.Name] != e.id() {
			missing = append(missing, e)
		}
		delete(holds, e.Name)
	}
	var gone strings.Builder
	for _, name := range slices.Sorted(maps.Keys(holds)) {
		if !strings.HasSuffix(name, "/") {
			gone.WriteString(workDir + "/" + name + "\x00")
		}
	}
	if gone.Len() == 0 {
		return missing, nil
	}
	const listed = "gone"
	if err := b.put(ctx, w, []entry{textEntry(listed, gone.String(), 0o644)}, scratch); err != nil {
		return nil, err
	}
	return missing, b.quietly(ctx, w, builder, "sh", "-c", "xargs -0 rm -f <"+scratch+"/"+listed)
}

// sourcesIn reads [sourcesOfLayer].
func (b *mixBuild) sourcesIn(ctx context.Context, w Workshop) (map[string]string, error) {
	holds := map[string]string{}
	var decoded error
	err := readFiles(ctx, w, sourcesOfLayer, func(_ string, data []byte) { decoded = json.Unmarshal(data, &holds) })
	if err = errors.Join(err, decoded); err != nil {
		return nil, fmt.Errorf("read the layer's list of sources: %w", err)
	}
	return holds, nil
}

// fetching is the command that fetches dependencies. It fetches Hex and Rebar if the base lacks
// them; without a dependency from Hex it does so only if a git dependency needs it.
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

// replaceHex installs the replacement for Hex among Mix's archives: see nohex.ex.
func (b *mixBuild) replaceHex(ctx context.Context, w Workshop) error {
	const name = "beamyard-no-hex"
	if err := b.put(ctx, w, []entry{textEntry("nohex.ex", noHexText, 0o644)}, scratch); err != nil {
		return err
	}
	as := builder
	if b.ownHex {
		as = "0:0" // the base's own folder may belong to root
	}
	return b.quietly(ctx, w, as, "sh", "-c", `to="$MIX_HOME/archives/`+name+`/`+name+`/ebin" && mkdir -p "$to" && elixirc -o "$to" `+scratch+`/nohex.ex`)
}

// bringHex copies Hex and Rebar to a folder that user 1000 can read, if the base has them in
// the home of another user. It runs as root.
const bringHex = `to=/home/beamyard/.mix
ls -d $to/archives/hex-* >/dev/null 2>&1 && exit 0
for from in /root/.mix /home/*/.mix /opt/mix; do
  if ls -d "$from"/archives/hex-* >/dev/null 2>&1; then
    mkdir -p $to && cp -R "$from"/. $to && chown -R ` + builder + ` $to
    exit 0
  fi
done`
