package images

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/patternmatcher"
)

// entries lists a context as "mode name -> target: text".
func entries(t *testing.T, r io.Reader) []string {
	t.Helper()
	var all []string
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		must(t, err)
		text, err := io.ReadAll(tr)
		must(t, err)
		line := fmt.Sprintf("%o %s", h.Mode, h.Name)
		if h.Linkname != "" {
			line += " -> " + h.Linkname
		}
		if len(text) > 0 {
			line += ": " + string(text)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || !h.ModTime.Equal(epoch) {
			t.Errorf("%s has an owner or a time: %+v", h.Name, h)
		}
		all = append(all, line)
	}
}

func TestContext(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"mix.exs": "m", "bin/run": "r", "lib/deps/a.ex": "a", "lib/deps.ex": "d", "empty/x": ""})
	must(t, os.Chmod(filepath.Join(dir, "bin/run"), 0o700))
	must(t, os.Remove(filepath.Join(dir, "empty/x")))
	must(t, os.Symlink("../mix.exs", filepath.Join(dir, "lib/link")))
	must(t, os.Symlink("/nowhere", filepath.Join(dir, "dangling")))
	listen(t, filepath.Join(dir, "socket"))
	var got bytes.Buffer
	must(t, writeContext(&got, dir, map[string][]byte{"mix.exs": []byte("other"), "extra": []byte("e"), "zz": nil}, nil))
	want := []string{
		"755 bin/", "755 bin/run: r", "777 dangling -> /nowhere", "755 empty/", "644 extra: e", "755 lib/", "755 lib/deps/",
		"644 lib/deps.ex: d", "644 lib/deps/a.ex: a", "777 lib/link -> ../mix.exs", "644 mix.exs: other", "644 zz",
	}
	if diff := cmp.Diff(want, entries(t, &got)); diff != "" {
		t.Error(diff)
	}
}

// A project folder may be a symbolic link. Its files belong to the context, and links
// inside it stay links.
func TestContextOfALink(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "project")
	write(t, dir, map[string]string{"mix.exs": "m", "lib/a.ex": "a"})
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(dir, link))
	var direct, linked bytes.Buffer
	must(t, writeContext(&direct, dir, nil, nil))
	must(t, writeContext(&linked, link, nil, nil))
	want := []string{"755 lib/", "644 lib/a.ex: a", "644 mix.exs: m"}
	if diff := cmp.Diff(want, entries(t, bytes.NewReader(linked.Bytes()))); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(direct.Bytes(), linked.Bytes()) {
		t.Error("the link's context differs from the folder's")
	}
}

// Equal content yields equal bytes, whoever created it and when.
func TestContextIsDeterministic(t *testing.T) {
	var first []byte
	for i, umask := range []fs.FileMode{0o022, 0o077, 0o002} {
		dir := t.TempDir()
		names := []string{"b.ex", "a.ex", "lib/c.ex", "lib.ex"}
		if i == 1 {
			names = []string{"lib.ex", "lib/c.ex", "a.ex", "b.ex"}
		}
		for _, name := range names {
			write(t, dir, map[string]string{name: name})
			full := filepath.Join(dir, name)
			must(t, os.Chmod(full, 0o666&^umask))
			must(t, os.Chtimes(full, time.Now(), time.Unix(int64(1e9*i), 0)))
			if os.Getuid() == 0 {
				must(t, os.Chown(full, 1000*i, 1000*i))
			}
		}
		must(t, os.Chmod(filepath.Join(dir, "lib"), 0o777&^umask))
		var got bytes.Buffer
		must(t, writeContext(&got, dir, nil, nil))
		if first == nil {
			first = got.Bytes()
		}
		if !bytes.Equal(first, got.Bytes()) {
			t.Errorf("umask %o changes the context", umask)
		}
	}
}

func TestContextLeavesOut(t *testing.T) {
	files := map[string]string{}
	for _, name := range []string{
		"a.md", "b.md", "lib/a.md", "lib/x.ex", "lib/deps/y.ex", "_build/dev/z", "deps/jason/mix.exs", "libs/in/mix.exs", "libs/in/deps/q/r",
		"apps/one/_build/x", "assets/node_modules/n/i.js", ".git/HEAD", "erl_crash.dump", ".formatter.exs",
	} {
		files[name] = name
	}
	files["mix.exs"] = `[app: :a, deps: [{:in, path: "libs/in"}]]`
	byDefault := []string{".formatter.exs", "a.md", "b.md", "lib/a.md", "lib/deps/y.ex", "lib/x.ex", "libs/in/mix.exs", "mix.exs"}
	without := func(names ...string) []string {
		var left []string
		for _, name := range byDefault {
			if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+name+" ") {
				left = append(left, name)
			}
		}
		return left
	}
	tests := []struct {
		name, rules string
		want        []string
	}{
		{"defaults", "", byDefault},
		{"comments and empty lines", "# a.md\n\n", byDefault},
		{"a file", "a.md\n", without("a.md")},
		{"a pattern of one folder", "*.md\n", without("a.md", "b.md")},
		{"a pattern of all folders", "**/*.md\n", without("a.md", "b.md", "lib/a.md")},
		{"a folder", "lib\n", without("lib/a.md", "lib/deps/y.ex", "lib/x.ex")},
		{"a leading slash", "/lib/\n", without("lib/a.md", "lib/deps/y.ex", "lib/x.ex")},
		{"a negation", "*.md\n!b.md\n", without("a.md")},
		{"a negation inside of a folder", "lib\n!lib/x.ex\n", without("lib/a.md", "lib/deps/y.ex")},
		{"a negation that is taken back", "!b.md\n*.md\n", without("a.md", "b.md")},
		{"all but one", "*\n!mix.exs\n", []string{"mix.exs"}},
		{"vendored dependencies", "!deps\n", append([]string{".formatter.exs", "a.md", "b.md", "deps/jason/mix.exs"}, byDefault[3:]...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
			src.Dir = t.TempDir()
			write(t, src.Dir, files)
			write(t, src.Dir, map[string]string{".dockerignore": tt.rules})
			resolved(t, eng, src, Options{})
			var got []string
			for _, name := range eng.contexts[0] {
				if !strings.HasSuffix(name, "/") && name != ".dockerignore" {
					got = append(got, name)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestContextRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "12345", "skipped/b": "12345"})
	refused := func(name string, err error, says string) {
		t.Helper()
		var source *SourceError
		if !errors.As(err, &source) || !strings.Contains(err.Error(), says) || len(source.Hint()) == 0 {
			t.Errorf("%s: got %v, want a SourceError that says %q", name, err, says)
		}
	}
	_, err := contextFiles(dir, matching(t), 9)
	refused("too large", err, "holds more than")
	if _, err := contextFiles(dir, matching(t, "skipped"), 9); err != nil {
		t.Errorf("files that are left out were counted: %v", err)
	}
	if _, err := contextFiles(dir, matching(t), 10); err != nil {
		t.Errorf("a context of the largest allowed size: %v", err)
	}
	write(t, dir, map[string]string{".dockerignore": "a[\n"})
	refused("bad pattern", writeContext(io.Discard, dir, nil, nil), "syntax error")
	refused("permission", unreadable("/p/a", &fs.PathError{Op: "open", Path: "/p/a", Err: fs.ErrPermission}), "/p/a: cannot be read")
	if err := unreadable("/p/a", io.ErrUnexpectedEOF); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

// A file that grows while it is read must not become a wrong context.
func TestFileThatChanges(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "12345"})
	files, err := contextFiles(dir, matching(t), maxContext)
	must(t, err)
	for _, text := range []string{"1234567", "1"} {
		write(t, dir, map[string]string{"a": text})
		tw := tar.NewWriter(io.Discard)
		if err := errors.Join(addFile(tw, dir, files[0]), tw.Close()); err == nil {
			t.Errorf("%q was accepted for a file of 5 bytes", text)
		}
	}
}

func matching(t *testing.T, patterns ...string) *patternmatcher.PatternMatcher {
	t.Helper()
	m, err := newMatcher("", patterns)
	must(t, err)
	return m
}
