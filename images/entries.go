package images

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
)

// layout describes which folders of this machine a Mix project needs, and their positions in
// its image: their common parent folder is [workDir] there, so that relative paths between them
// remain valid.
//
//	~/orrery/            ─► /app            root
//	~/orrery/apps/web    ─► /app/apps/web   the project: the working directory
//	~/orrery/apps/sun    ─► /app/apps/sun   {:sun, in_umbrella: true}
//	~/orrery/config      ─► /app/config     config_path: "../../config/config.exs"
type layout struct {
	Dir   string   `json:"dir"`   // the project's folder, absolute, without links
	Parts []string `json:"parts"` // folders and files to send, absolute
	Room  []string `json:"room"`  // folders that are not sent, but are below the root too
	Left  []string `json:"left"`  // folders that the build generates: deps and _build, absolute
}

func layoutOf(dir string) layout { return layout{Dir: dir, Parts: []string{dir}} }

// root is the folder that contains all of them.
func (l layout) root() string {
	root := l.Dir
	for _, p := range slices.Concat(l.Parts, l.Room) {
		for !within(root, p) {
			root = filepath.Dir(root)
		}
	}
	return root
}

// within reports whether a path is a folder, or lies below it.
func within(folder, p string) bool {
	rel, err := filepath.Rel(folder, p)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// add adds a part that the others do not contain: it lies outside of them, or in a folder from
// which nothing is sent, such as a dependency by path in deps/.
func (l *layout) add(p string) bool {
	if slices.Contains(l.Parts, p) {
		return false
	}
	l.Parts = append(l.Parts, p)
	slices.Sort(l.Parts)
	return true
}

// place returns the position of a path below the root, with slashes: "" for the root itself.
func (l layout) place(p string) string {
	rel, err := filepath.Rel(l.root(), p)
	if err != nil || rel == "." {
		return ""
	}
	return filepath.ToSlash(rel)
}

// folder is the project's own folder in the image.
func (l layout) folder() string { return path.Join(workDir, l.place(l.Dir)) }

// leaves reports whether a path below the root lies in a folder that the build generates.
func (l layout) leaves(name string) bool {
	full := filepath.Join(l.root(), filepath.FromSlash(name))
	return slices.ContainsFunc(l.Left, func(left string) bool { return within(left, full) })
}

// part is one part of a layout, ready to be read.
type part struct {
	dir     string // absolute
	at      string // position below the root
	matcher *patternmatcher.PatternMatcher
	outer   *patternmatcher.PatternMatcher // of the root's .dockerignore, if the part is not the root
	file    bool
}

// parts reads the rules that apply to each part.
func (l layout) parts() ([]part, error) {
	var outer *patternmatcher.PatternMatcher
	root := l.root()
	if patterns, err := ignorePatterns(root); err != nil {
		return nil, err
	} else if len(patterns) > 0 {
		if outer, err = newMatcher(root, patterns); err != nil {
			return nil, err
		}
	}
	var parts []part
	for _, dir := range l.Parts {
		info, err := os.Stat(dir)
		if err != nil {
			return nil, fmt.Errorf("look at what the project needs: %w", err)
		}
		p := part{dir: dir, at: l.place(dir), file: !info.IsDir()}
		if p.at != "" {
			p.outer = outer
		}
		patterns := slices.Clone(ignored)
		if !p.file {
			for _, left := range slices.Concat(l.Left, fetchedBelow(dir)) {
				if rel, err := filepath.Rel(dir, left); err == nil && within(dir, left) && rel != "." {
					patterns = append(patterns, filepath.ToSlash(rel))
				}
			}
			own, err := ignorePatterns(dir)
			if err != nil {
				return nil, err
			}
			patterns = append(patterns, own...)
			if isFile(filepath.Join(dir, "Dockerfile")) {
				patterns = append(patterns, tests...)
			}
		}
		if p.matcher, err = newMatcher(dir, patterns); err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// tests are the folders of a project's test suite. The .dockerignore that `mix phx.gen.release
// --docker` writes for its Dockerfile excludes them.
var tests = []string{"!test", "!apps/*/test"}

// ignores reports whether a path below the part, with slashes, is excluded.
func (p part) ignores(rel string) bool {
	skip, err := p.matcher.MatchesOrParentMatches(filepath.FromSlash(rel))
	if err == nil && !skip && p.outer != nil {
		skip, err = p.outer.MatchesOrParentMatches(filepath.FromSlash(path.Join(p.at, rel)))
	}
	return skip || err != nil
}

// files lists the files of the part, by their paths below it.
func (p part) files(limit int64) ([]file, error) {
	if p.file {
		info, err := os.Stat(p.dir)
		return []file{{path: ".", info: info}}, err
	}
	files, err := contextFiles(p.dir, p.matcher, limit)
	if p.outer != nil {
		files = slices.DeleteFunc(files, func(f file) bool { return p.ignores(f.path) })
	}
	return files, err
}

// fetchedBelow returns the folders "deps" beside each mix.exs of a folder: Mix has fetched
// there what the build fetches again.
func fetchedBelow(dir string) []string {
	const deepest = 4
	var found []string
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil //nolint:nilerr // what cannot be read is found when it is read
		}
		rel, relErr := filepath.Rel(dir, p)
		if relErr != nil || strings.Count(rel, string(filepath.Separator)) >= deepest {
			return fs.SkipDir
		}
		switch d.Name() {
		case "_build", "node_modules", ".git", ".elixir_ls", ".lexical":
			if p != dir {
				return fs.SkipDir
			}
		case "deps":
			if isFile(filepath.Join(filepath.Dir(p), "mix.exs")) && p != dir {
				found = append(found, p)
				return fs.SkipDir
			}
		}
		return nil
	})
	return found
}

// entry is an entry of an archive, in memory: the hash matches what is built, even while an
// editor saves files. An entry of a search for an image may lack its data: see [seen].
type entry struct {
	tar.Header
	data  []byte
	sum   [sha256.Size]byte // of the data
	magic [magicSize]byte   // how it begins
}

// magicSize is how much of a file shows for which system it was compiled.
const magicSize = 20

// owner is the user who builds and runs.
const owner = 1000

// entries reads the files of the layout, with paths below the root. It also returns the files
// that it excludes because they are for another system.
func (l layout) entries(arch string) (list []entry, foreign []string, err error) {
	return l.entriesBy(arch, readEntry)
}

// entriesBy is entries, with another way to read a file.
func (l layout) entriesBy(arch string, read func(full, name string, info fs.FileInfo) (entry, error)) (list []entry, foreign []string, err error) {
	parts, err := l.parts()
	if err != nil {
		return nil, nil, err
	}
	limit, folders := int64(maxContext), map[string]bool{}
	for _, p := range parts {
		files, err := p.files(limit)
		if err != nil {
			return nil, nil, err
		}
		for dir := path.Dir(p.at); p.at != "" && dir != "."; dir = path.Dir(dir) {
			folders[dir] = true
		}
		if !p.file && p.at != "" {
			folders[p.at] = true
		}
		for _, f := range files {
			full := filepath.Join(p.dir, filepath.FromSlash(f.path))
			e, err := read(full, path.Join(p.at, f.path), f.info)
			if err != nil {
				return nil, nil, unreadable(full, err)
			}
			limit -= e.Size
			if otherSystem(e, arch) {
				foreign = append(foreign, e.Name)
				continue
			}
			list = append(list, e)
		}
	}
	for dir := range folders {
		list = append(list, folderEntry(dir))
	}
	slices.SortStableFunc(list, func(a, b entry) int { return strings.Compare(a.Name, b.Name) })
	list = slices.CompactFunc(list, func(a, b entry) bool { return a.Name == b.Name })
	return list, foreign, nil
}

func folderEntry(name string) entry {
	return entry{Header: tar.Header{Name: name + "/", Mode: 0o755, Typeflag: tar.TypeDir, Uid: owner, Gid: owner}}
}

func textEntry(name, text string, mode int64) entry {
	return dataEntry(entry{Header: tar.Header{Name: name, Mode: mode, Typeflag: tar.TypeReg, Uid: owner, Gid: owner}}, []byte(text))
}

func dataEntry(e entry, data []byte) entry {
	e.Size, e.data, e.sum = int64(len(data)), data, sha256.Sum256(data)
	copy(e.magic[:], data)
	return e
}

// fileEntry is the entry of a regular file, without its content.
func fileEntry(name string, info fs.FileInfo) entry {
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	return entry{Header: tar.Header{Name: name, Mode: mode, Typeflag: tar.TypeReg, Uid: owner, Gid: owner}}
}

func readEntry(full, name string, info fs.FileInfo) (entry, error) {
	switch {
	case info.IsDir():
		return folderEntry(name), nil
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(full)
		return entry{Header: tar.Header{Name: name, Linkname: filepath.ToSlash(target), Mode: 0o777, Typeflag: tar.TypeSymlink, Uid: owner, Gid: owner}}, err
	}
	data, err := os.ReadFile(full)
	return dataEntry(fileEntry(name, info), data), err
}

// archiveOf writes entries as a tar stream.
func archiveOf(list []entry) (*bytes.Reader, error) {
	var out bytes.Buffer
	tw := tar.NewWriter(&out)
	for _, e := range list {
		h := e.Header
		h.Format, h.ModTime = tar.FormatPAX, epoch
		if err := tw.WriteHeader(&h); err != nil {
			return nil, err
		}
		if _, err := tw.Write(e.data); err != nil {
			return nil, err
		}
	}
	if err := tw.Close(); err != nil {
		return nil, err
	}
	return bytes.NewReader(out.Bytes()), nil
}

// hashEntries adds to a hash everything that an image gets from entries.
func hashEntries(h io.Writer, list []entry) {
	for _, e := range list {
		e.hash(h)
	}
}

func (e entry) hash(h io.Writer) {
	fmt.Fprintf(h, "%c %o %q %q %d %x\n", e.Typeflag, e.Mode, e.Name, e.Linkname, e.Size, e.sum)
}

// id is a hash of everything that an image gets from an entry.
func (e entry) id() string {
	h := sha256.New()
	e.hash(h)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// code are the extensions of files that Mix compiles.
var code = []string{".ex", ".erl", ".hrl", ".xrl", ".yrl", ".eex", ".leex", ".heex", ".sface"}

// shapeOf is a hash of everything in entries but the content of code: while it is the same,
// Mix is expected to describe the project as before. A mix.exs that reads the project's own
// code can be an exception.
func shapeOf(list []entry) string {
	list = slices.Clone(list)
	for i, e := range list {
		if slices.Contains(code, path.Ext(e.Name)) {
			list[i].sum, list[i].Size = [sha256.Size]byte{}, 0
		}
	}
	h := sha256.New()
	hashEntries(h, list)
	return hex.EncodeToString(h.Sum(nil))
}
