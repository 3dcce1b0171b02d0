package images

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// repository is the git repository that a folder belongs to, read without git.
type repository struct {
	root   string // its working tree; "" if there is none
	dir    string // HEAD and the index: .git, or a linked working tree's own folder
	common string // everything else
}

// findRepository searches the folder and those above. Source: gitrepository-layout(5).
func findRepository(dir string) repository {
	for ; ; dir = filepath.Dir(dir) {
		at := filepath.Join(dir, ".git")
		info, err := os.Stat(at)
		switch {
		case err == nil && info.IsDir() && isFile(filepath.Join(at, "HEAD")):
			return repository{root: dir, dir: at, common: at}
		case err == nil && info.Mode().IsRegular():
			text, err := os.ReadFile(at)
			own, found := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
			if err != nil || !found {
				return repository{}
			}
			r := repository{root: dir, dir: own}
			if !filepath.IsAbs(own) {
				r.dir = filepath.Join(dir, own)
			}
			r.common = r.dir
			if text, err := os.ReadFile(filepath.Join(r.dir, "commondir")); err == nil {
				r.common = strings.TrimSpace(string(text))
				if !filepath.IsAbs(r.common) {
					r.common = filepath.Join(r.dir, r.common)
				}
			}
			return r
		case filepath.Dir(dir) == dir:
			return repository{}
		}
	}
}

// state is a hash of what determines the answers of `git describe` and `git rev-parse`: the
// position of HEAD, and the tags. Differences from the commit are visible in the files.
func (r repository) state() string {
	h := sha256.New()
	head, _ := os.ReadFile(filepath.Join(r.dir, "HEAD")) // unreadable counts as empty
	h.Write(head)
	if ref, found := strings.CutPrefix(strings.TrimSpace(string(head)), "ref: "); found {
		at, _ := os.ReadFile(filepath.Join(r.common, filepath.FromSlash(ref)))
		h.Write(at)
	}
	packed, _ := os.ReadFile(filepath.Join(r.common, "packed-refs"))
	h.Write(packed)
	_ = filepath.WalkDir(filepath.Join(r.common, "refs", "tags"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			text, _ := os.ReadFile(p)
			fmt.Fprintf(h, "%s %s", p, text)
		}
		return nil
	})
	return hex.EncodeToString(h.Sum(nil))
}

// entries returns the repository, without hooks, logs, and what other programs store in it.
func (r repository) entries() ([]entry, error) {
	list := []entry{folderEntry(".git")}
	size := int64(0)
	add := func(full, name string, info fs.FileInfo) error {
		if size += info.Size(); size > maxContext {
			return &SourceError{r.common, fmt.Sprintf("holds more than %d MiB, and the project asks git", maxContext>>20),
				"give mix.exs another way to its version, for instance: System.get_env(\"VERSION\") || …"}
		}
		e, err := readEntry(full, path.Join(".git", name), info)
		list = append(list, e)
		return err
	}
	err := filepath.WalkDir(r.common, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(r.common, p)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		switch name {
		case ".":
			return nil
		case "hooks", "logs", "lfs", "modules", "worktrees", "annex":
			return fs.SkipDir
		case "HEAD", "index":
			return nil // those of the working tree are below
		}
		info, err := d.Info()
		if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
			return nil //nolint:nilerr // it went meanwhile, as locks do
		}
		return add(p, name, info)
	})
	for _, name := range []string{"HEAD", "index"} {
		full := filepath.Join(r.dir, name)
		if info, statErr := os.Stat(full); statErr == nil && err == nil {
			err = add(full, name, info)
		}
	}
	if err != nil {
		return nil, unreadable(r.common, err)
	}
	for i := range list {
		if list[i].Typeflag == tar.TypeReg {
			list[i].Mode = 0o644
		}
	}
	return list, nil
}

// atHand is the message about a project that runs git.
const atHand = "the project asks git: it is built with git and its repository at hand"

// Mix evaluates mix.exs each time that a node starts, without git or a repository. So the image
// stores the answers of git during the build, by their arguments, and replaces git with a
// script that repeats them.
const (
	gitAnswers = "/home/beamyard/.git-answers"
	answerKey  = `k=` + gitAnswers + `/$(printf '%s\n' "$@" | cksum | tr ' ' -)` + "\n"
	recorder   = "#!/bin/sh\nmkdir -p " + gitAnswers + "\n" + answerKey + `g=$(IFS=:; for d in $PATH; do if [ "$d" != ` + shimPath + ` ] && [ -x "$d/git" ]; then echo "$d/git"; break; fi; done)
"${g:-/usr/bin/git}" "$@" >"$k.out" 2>"$k.err"; s=$?
echo $s >"$k.status"; cat "$k.out"; cat "$k.err" >&2; exit $s
`
	replay = "#!/bin/sh\n" + ofDependency + answerKey + `if [ -e "$k.status" ]; then cat "$k.out"; cat "$k.err" >&2; exit "$(cat "$k.status")"; fi
for g in /usr/bin/git /bin/git; do [ -x $g ] && exec $g "$@"; done
echo "git: not found, and it was not asked this while the image was built: git $*" >&2
exit 127
`
	withoutShim = `PATH=${PATH#` + shimPath + `:}`
)

// ofDependency answers the two questions that Mix asks git in the folder of each git dependency,
// whenever it checks whether the dependency is the one that mix.lock names: in `mix compile` and
// `mix test`, for which no image needs git. Without it, Mix ends with :enoent. A project that
// asks git itself does not use these arguments. Verified with Mix.SCM.Git of Elixir 1.14, 1.18
// and 1.21-dev. A sync asks each dependency twice, so it starts no other program. The format is
// that of gitrepository-layout(5); git-config(1) quotes a URL that contains a # or a semicolon.
const ofDependency = `if [ -f .git/HEAD ]; then
  case "$*" in
  "--git-dir=.git config remote.origin.url")
    url= section=
    while read -r key is value; do
      case $key in "["*) section=$key$is ;; esac
      [ "$key $section" != 'url [remote"origin"]' ] || url=$value
    done <.git/config
    url=${url#\"} url=${url%\"}
    [ -z "$url" ] || { echo "$url"; exit 0; } ;;
  "--git-dir=.git rev-parse --verify --quiet HEAD")
    read -r rev <.git/HEAD
    case $rev in "ref: "*)
      ref=${rev#ref: } rev=
      if [ -f ".git/$ref" ]; then
        read -r rev <".git/$ref"
      elif [ -f .git/packed-refs ]; then
        while read -r at name; do [ "$name" != "$ref" ] || rev=$at; done <.git/packed-refs
      fi ;;
    esac
    case $rev in "" | *[!0-9a-f]*) ;; *) echo "$rev"; exit 0 ;; esac ;;
  esac
fi
`

// forget makes git ignore that files of the working tree are not in the image: they would make
// it dirty.
const forget = `git ls-files -z -d | git update-index -z --skip-worktree --stdin`

// lendGit puts the repository beside the project, if the build needs it. It is removed before
// the commit.
func (b *mixBuild) lendGit(ctx context.Context, w Workshop, at string) error {
	if !b.withGit {
		return nil
	}
	list, err := b.repository.entries()
	if err != nil {
		return err
	}
	if err := b.put(ctx, w, list, at); err != nil {
		return err
	}
	return b.quietly(ctx, w, builder, "sh", "-c", withoutShim+"; cd "+shellWord(at)+" && "+forget)
}
