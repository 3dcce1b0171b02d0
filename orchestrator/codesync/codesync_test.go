package codesync

import (
	"archive/tar"
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func sumsOf(paths ...string) map[string]Sum {
	sums := map[string]Sum{}
	for _, p := range paths {
		p, content, _ := strings.Cut(p, "=")
		sums[p] = md5.Sum([]byte(content))
	}
	return sums
}

func TestCompare(t *testing.T) {
	for _, test := range []struct {
		name          string
		local, remote string
		want          string
	}{
		{"nothing", "lib/a.ex=1 mix.exs=1", "lib/a.ex=1 mix.exs=1", "put [] remove [] cold []"},
		{"changed and new", "lib/a.ex=2 lib/b.ex=1 priv/x.txt=1", "lib/a.ex=1", "put [lib/a.ex lib/b.ex priv/x.txt] remove [] cold []"},
		{"gone", "", "lib/a.ex=1 src/b.erl=1 lib/t.html.heex=1", "put [] remove [lib/a.ex lib/t.html.heex src/b.erl] cold []"},
		{"generated stays", "", "priv/static/app.js=1 erl_crash.dump=1 lib/nif.o=1", "put [] remove [] cold []"},
		{"what yecc and leex make stays", "src/p.yrl=1 src/l.xrl=1", "src/p.yrl=1 src/l.xrl=1 src/p.erl=1 src/l.erl=1 src/q.erl=1", "put [] remove [src/q.erl] cold []"},
		{"ignored stays", "", "ignored/a.ex=1", "put [] remove [] cold []"},
		{"cold", "mix.exs=2 config/dev.exs=2 lib/a.ex=2", "mix.exs=1 config/dev.exs=1 lib/a.ex=1", "put [config/dev.exs lib/a.ex mix.exs] remove [] cold [config/dev.exs mix.exs]"},
		{"cold and gone", "", "config/test.exs=1", "put [] remove [config/test.exs] cold [config/test.exs]"},
		{"of an umbrella", "apps/web/mix.exs=2 apps/web/config/x.exs=2 apps/web/lib/config/x.ex=2", "apps/web/mix.exs=1 apps/web/config/x.exs=1", "put [apps/web/config/x.exs apps/web/lib/config/x.ex apps/web/mix.exs] remove [] cold [apps/web/config/x.exs apps/web/mix.exs]"},
		{"a folder of that name in the sources", "lib/shop/config/a.ex=1 src/x/rel/a.hrl=1", "", "put [lib/shop/config/a.ex src/x/rel/a.hrl] remove [] cold []"},
		{"native code", "c_src/a.c=2 priv/a.so=2 Makefile=2", "c_src/a.c=1 priv/a.so=1 Makefile=1", "put [Makefile c_src/a.c priv/a.so] remove [] cold [Makefile c_src/a.c priv/a.so]"},
		{"what the image never had", "Dockerfile=1 .dockerignore=1 beamyard.yml=1 deps/x/mix.exs=1", "", "put [] remove [] cold []"},
		{"what a Dockerfile left out", "Dockerfile=1 Makefile=1 mix.lock=1 c_src/a.c=1 config/a.exs=1 config/b.exs=1 lib/a.ex=1", "config/a.exs=1", "put [config/b.exs lib/a.ex] remove [] cold [config/b.exs]"},
		{"what is new without one", "Makefile=1 config/a.exs=1", "", "put [Makefile config/a.exs] remove [] cold [Makefile config/a.exs]"},
		{"a Dockerfile that it had", "Dockerfile=2", "Dockerfile=1", "put [Dockerfile] remove [] cold [Dockerfile]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			local := sumsOf(strings.Fields(test.local)...)
			_, chosen := local["Dockerfile"]
			c := compare(local, sumsOf(strings.Fields(test.remote)...), func(p string) bool { return strings.HasPrefix(p, "ignored/") }, chosen, ".")
			if got := fmt.Sprintf("put %v remove %v cold %v", c.Put, withoutGenerated(c.Remove, local), c.Cold); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestDeadModules(t *testing.T) {
	alive := map[string]Module{"Elixir.A": {}}
	got := deadModules([]string{"/app/_build/dev/lib/x/ebin/Elixir.A.beam", "/app/_build/dev/lib/x/ebin/Elixir.B.beam", "/app/_build/dev/lib/x/consolidated/Elixir.B.beam", "/app/lib/c.ex"}, alive)
	if fmt.Sprint(got) != "[Elixir.B]" {
		t.Errorf("%v: a moved module is not dead, and one that was removed twice is listed once", got)
	}
}

func TestEditorFiles(t *testing.T) {
	for _, p := range []string{"4913", "lib/.#a.ex", "lib/#a.ex#", "lib/a.ex~", "lib/.a.ex.swp", ".a.ex.swx", "lib/a.ex___jb_tmp___", ".goutputstream-X1Y2", "lib/.a.ex.kate-swp"} {
		if !IsEditors(p) {
			t.Errorf("%s is a file of an editor", p)
		}
	}
	for _, p := range []string{"lib/a.ex", ".formatter.exs", "priv/#x", "lib/4913.ex", "a.swp", ".dockerignore"} {
		if IsEditors(p) {
			t.Errorf("%s is a file of the project", p)
		}
	}
}

// A file that is saved between the scan and the reading is reported with the content that
// was read.
func TestLocalTellsWhatItRead(t *testing.T) {
	dir := t.TempDir()
	write := func(p, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, p)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, p), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("mix.exs", "")
	write("lib/a.ex", "1")
	write("lib/a.ex~", "0")
	write("deps/x/lib/x.ex", "1")
	write("_build/dev/x", "1")
	write(".dockerignore", "tmp\n")
	write("tmp/x.ex", "1")
	l := local{dir: dir}
	sums, ignored, err := l.scan()
	if err != nil || len(sums) != 3 || sums["lib/a.ex"] != md5.Sum([]byte("1")) {
		t.Fatalf("%v, %v", sums, err)
	}
	if !ignored("tmp/y.ex") || !ignored("deps/x/mix.exs") || ignored("lib/b.ex") {
		t.Error("the ignored files are not those of the image")
	}
	write("lib/a.ex", "2")
	files, err := l.contents([]string{"lib/a.ex", "lib/gone.ex"}, sums)
	if err != nil || len(files) != 1 || string(files[0].data) != "2" || sums["lib/a.ex"] != md5.Sum([]byte("2")) {
		t.Errorf("%v, %v, %v", files, sums, err)
	}
	// An edit that keeps the size and the time of a file is not the scan's concern,
	// because times have nanoseconds. An edit with another time is found.
	later := time.Now().Add(time.Nanosecond)
	write("lib/a.ex", "3")
	if err := os.Chtimes(filepath.Join(dir, "lib/a.ex"), later, later); err != nil {
		t.Fatal(err)
	}
	if sums, _, err = l.scan(); err != nil || sums["lib/a.ex"] != md5.Sum([]byte("3")) {
		t.Errorf("%v, %v", sums, err)
	}
}

// Folders precede their content and belong to the file's owner. Removed code becomes an
// empty file. Other removed files are kept.
func TestArchive(t *testing.T) {
	sum := md5.Sum([]byte("code"))
	data, err := archive("/app", []File{{Path: "/app/lib/new/a.ex", Mode: 0o644, UID: 1000, GID: 1000, Sum: sum}},
		[]string{"/app/_build/dev/lib/x/ebin/Elixir.B.beam", "/app/priv/x.txt"}, map[Sum][]byte{sum: []byte("code")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r)
		got = append(got, fmt.Sprintf("%s %d %q", h.Name, h.Uid, body))
	}
	want := `app/lib/ 1000 ""
app/lib/new/ 1000 ""
app/lib/new/a.ex 1000 "code"
app/_build/ 1000 ""
app/_build/dev/ 1000 ""
app/_build/dev/lib/ 1000 ""
app/_build/dev/lib/x/ 1000 ""
app/_build/dev/lib/x/ebin/ 1000 ""
app/_build/dev/lib/x/ebin/Elixir.B.beam 1000 ""`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

func TestLine(t *testing.T) {
	on := func(state NodeState, names ...string) (nodes []NodeReport) {
		for _, n := range names {
			nodes = append(nodes, NodeReport{n, state})
		}
		return nodes
	}
	took := func(r Report) Report {
		r.Took, r.Compile = 184*time.Millisecond, 120*time.Millisecond
		return r
	}
	for want, r := range map[string]Report{
		"removed Demo.Old on n1":                                       {Removed: []string{"Elixir.Demo.Old"}, Nodes: on(Synced, "n1")},
		"added Demo.New on n1":                                         {Added: []string{"Elixir.Demo.New"}, Nodes: on(Synced, "n1")},
		"synced a; removed 5 modules on n1":                            {Changed: []string{"a"}, Removed: []string{"a", "b", "c", "d", "e"}, Nodes: on(Synced, "n1")},
		"synced Demo.Counter; added a, b; removed c on n1 n2 n3":       {Changed: []string{"Elixir.Demo.Counter"}, Added: []string{"a", "b"}, Removed: []string{"c"}, Nodes: on(Synced, "n1", "n2", "n3")},
		"synced 5 modules on n1":                                       {Changed: []string{"a", "b", "c", "d", "e"}, Nodes: on(Synced, "n1")},
		"synced 1 file on n1; no module changed":                       {Files: 1, Nodes: on(Synced, "n1")},
		"in sync, 7 modules equal on n1 n2":                            {Compared: 7, Nodes: on(Synced, "n1", "n2")},
		"synced a on n1, restarted":                                    {Changed: []string{"a"}, Nodes: on(Restarted, "n1")},
		"synced a on n1 (skipped: n2, without a container)":            {Changed: []string{"a"}, Nodes: append(on(Synced, "n1"), on(Skipped, "n2")...)},
		"synced a on n1 (left alone: db, of another image), restarted": {Changed: []string{"a"}, Nodes: append(on(Restarted, "n1"), on(OwnImage, "db")...)},
		"synced a on n1 (written for n2, down)":                        {Changed: []string{"a"}, Nodes: append(on(Synced, "n1"), on(Written, "n2")...)},
	} {
		if got := took(r).Line(); got != want+": 184 ms, of them 120 ms compiling" {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// The configuration of a project in a larger folder is read only at a start, like any other.
func TestColdFilesOfAPartOfAFolder(t *testing.T) {
	local := sumsOf("firmware/config/config.exs", "firmware/lib/a.ex", "core/lib/b.ex", "core/mix.exs")
	c := compare(local, map[string]Sum{}, func(string) bool { return false }, false, "firmware")
	if want := []string{"core/mix.exs", "firmware/config/config.exs"}; !slices.Equal(c.Cold, want) {
		t.Errorf("read only at a start are %q, want %q", c.Cold, want)
	}
}
