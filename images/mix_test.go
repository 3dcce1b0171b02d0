package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// says returns Mix's answer for a project in the folder dir of a workshop, with
// additional keys.
func says(dir, more string) string {
	return fmt.Sprintf(`{"projects": [{"dir": %q, "app": "tiny", "main": true, "deps_path": %q, "build_path": %q, "compilers": ["elixir"] %s}]}`,
		dir, dir+"/deps", dir+"/_build", more)
}

// mirrored returns the path of a folder in the workshop.
func mirrored(dir string) string { return mirror + filepath.ToSlash(dir) }

func TestNetworkAndLayersFollowTheDependencies(t *testing.T) {
	tests := []struct {
		name, deps string
		builds     []string // the kinds of images that are built
		network    bool
		commands   []string // the commands that build the layer of dependencies
	}{
		{"none", `[]`, []string{"tiny"}, false, nil},
		{"of an umbrella", `[{"app": "a", "kind": "umbrella"}]`, []string{"tiny"}, false, nil},
		{"from Hex", `[{"app": "jason", "kind": "hex"}]`, []string{"tiny:deps", "tiny"}, true, []string{"mix local.hex --force", "mix deps.get --only $MIX_ENV", "mix deps.compile"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
			var ran []string
			eng.mix = func(*fakeWorkshop) string { return says("/app", `, "deps": `+tt.deps) }
			eng.run = func(_ *fakeWorkshop, c Command) (string, int) {
				ran = append(ran, strings.Join(c.Args, " "))
				return "", 0
			}
			resolved(t, eng, src, Options{})
			var made []string
			for _, b := range eng.builds {
				name, tag, _ := strings.Cut(strings.TrimPrefix(b.Tags[0], "beamyard/"), ":")
				if strings.HasPrefix(tag, "deps-") {
					name += ":deps"
				}
				made = append(made, name)
				if b.NoNetwork == tt.network {
					t.Errorf("%s was made with a network: %t", name, !b.NoNetwork)
				}
			}
			if diff := cmp.Diff(tt.builds, made); diff != "" {
				t.Error(diff)
			}
			for _, command := range tt.commands {
				if !strings.Contains(strings.Join(ran, "\n"), command) {
					t.Errorf("%s was not run: %q", command, ran)
				}
			}
			if eng.open != 0 {
				t.Errorf("%d workshops are left", eng.open)
			}
			// A change of a source file does not change the layer.
			write(t, src.Dir, map[string]string{"lib/tiny.ex": "defmodule Tiny do\n\nend\n"})
			if resolved(t, eng, src, Options{}); len(eng.builds) != len(tt.builds)+1 {
				t.Errorf("%d images were built again", len(eng.builds)-len(tt.builds))
			}
		})
	}
}

// If only code has changed, Mix is not asked again, unless the build fails and Mix may
// know why.
func TestMixIsAskedAgainOnlyIfItMayAnswerOtherwise(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	asked, more, fails := 0, "", false
	eng.mix = func(*fakeWorkshop) string { asked++; return says("/app", more) }
	eng.run = func(_ *fakeWorkshop, c Command) (string, int) {
		if fails && strings.Contains(strings.Join(c.Args, " "), "mix compile") {
			return "** (CompileError) lib/tiny.ex:1", 1
		}
		return "", 0
	}
	for _, step := range []struct {
		name, file, text string
		more             string
		fails            bool
		asked            int
	}{
		{"first", "lib/tiny.ex", "defmodule Tiny do end", "", false, 1},
		{"code", "lib/tiny.ex", "defmodule Tiny do\nend", "", false, 0},
		{"new code", "lib/more.ex", "defmodule More do\nend", "", false, 1},
		{"another file", "VERSION", "1", "", false, 1},
		{"code again", "lib/more.ex", "defmodule More do end", "", false, 0},
		{"mix.exs", "mix.exs", "defmodule Tiny.MixProject do end", "", false, 1},
		{"wrong code", "lib/more.ex", "defmodule More d", "", true, 1},
		{"right code", "lib/more.ex", "defmodule More do  end", "", false, 0},
		{"code that mix.exs reads", "lib/more.ex", "defmodule More do   end", `, "deps": [{"app": "jason", "kind": "hex"}]`, true, 1},
	} {
		t.Run(step.name, func(t *testing.T) {
			asked, more, fails = 0, step.more, step.fails
			write(t, src.Dir, map[string]string{step.file: step.text})
			image, err := Resolve(t.Context(), eng, src, Options{})
			if (err != nil) != step.fails || err == nil && !image.Built {
				t.Errorf("built %t: %v", image.Built, err)
			}
			if asked != step.asked {
				t.Errorf("Mix was asked %d times", asked)
			}
			if eng.open != 0 {
				t.Errorf("%d workshops are left", eng.open)
			}
		})
	}
}

// Files outside its folder that a project needs have the same relative paths in the
// image.
func TestALargerFolder(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	root := filepath.Dir(src.Dir)
	write(t, root, map[string]string{
		"core/mix.exs": "c", "core/lib/core.ex": "c", "core/_build/dev/x": "no", "core/deps/y/mix.exs": "no", "other/secret.txt": "no",
		"config/config.exs": "import Config", "config/dev.exs": "", "mix.lock": "%{}", "VERSION": "1",
	})
	eng.mix = func(w *fakeWorkshop) string {
		if _, inMirror := w.files[mirrored(src.Dir)+"/mix.exs"]; !inMirror {
			return says("/app", `, "files": ["/config/config.exs", "/mix.lock"]`)
		}
		if _, there := w.files[mirrored(root)+"/VERSION"]; !there {
			return fmt.Sprintf(`{"projects": [], "error": {"text": "could not read file", "path": %q}}`, mirrored(root)+"/VERSION")
		}
		answer := says(mirrored(src.Dir), fmt.Sprintf(`, "files": [%q, %q], "deps": [{"app": "core", "kind": "path"}]`, mirrored(root)+"/config/config.exs", mirrored(root)+"/mix.lock"))
		if _, there := w.files[mirrored(root)+"/core/mix.exs"]; !there {
			return strings.Replace(answer, "}]}]}", fmt.Sprintf("}]}], \"missing\": [%q]}", mirrored(root)+"/core"), 1)
		}
		core := fmt.Sprintf(`, {"dir": %q, "app": "core", "deps_path": %q, "build_path": %q}]}`, mirrored(root)+"/core", mirrored(root)+"/core/deps", mirrored(root)+"/core/_build")
		return strings.TrimSuffix(answer, "]}") + core
	}
	image := resolved(t, eng, src, Options{})
	want := []string{
		"VERSION", "config/", "config/config.exs", "config/dev.exs", "core/", "core/lib/", "core/lib/core.ex", "core/mix.exs", "mix.lock",
		"tiny/", "tiny/lib/", "tiny/lib/tiny.ex", "tiny/mix.exs",
	}
	if diff := cmp.Diff(want, eng.contexts[len(eng.contexts)-1]); diff != "" {
		t.Error(diff)
	}
	if at := eng.images[image.Ref].WorkingDir; at != "/app/tiny" {
		t.Errorf("it runs in %s", at)
	}
	if again := resolved(t, eng, src, Options{}); again.Built {
		t.Error("it was built again")
	}

	// Sync uses the same files.
	files, err := OpenFiles(src.Dir)
	must(t, err)
	if files.Dir() != root || files.Project() != "tiny" {
		t.Errorf("its files are below %s, its own in %s", files.Dir(), files.Project())
	}
	for name, out := range map[string]bool{
		"core": false, "core/lib/core.ex": false, "core/_build/dev/x": true, "core/deps/y/mix.exs": true, "tiny/lib/new.ex": false,
		"other": true, "other/secret.txt": true, "mix.lock": false, "README.md": true,
	} {
		if files.Ignored(name) != out {
			t.Errorf("%s is left out: %t", name, !out)
		}
	}
	write(t, root, map[string]string{"core/lib/core.ex": "changed"})
	if again := resolved(t, eng, src, Options{}); !again.Built || again.Ref == image.Ref {
		t.Error("a change of a file that it needs had no effect")
	}
}

func TestErrorsOfMix(t *testing.T) {
	tests := []struct {
		name, error       string
		says, hint, lines string
	}{
		{"a variable", `{"text": "** (System.EnvError) could not fetch …", "at": "mix.exs:3", "env": "KEY"}`, "mix.exs:3 reads the environment variable KEY", "--env KEY=", "could not fetch"},
		{"git", `{"text": "** (ErlangError) :enoent", "at": "mix.exs:4", "command": "git"}`, "mix.exs:4 runs git", `File.dir?(".git")`, ":enoent"},
		{"another command", `{"text": "** (ErlangError) :enoent", "at": "mix.exs:4", "command": "jq"}`, "runs jq", "packages: {build: [jq]}", ":enoent"},
		{"syntax", `{"text": "** (TokenMissingError) mix.exs:2:1: missing terminator: end"}`, "mix.exs cannot be evaluated", "fix what Mix reports", "missing terminator"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
			eng.mix = func(*fakeWorkshop) string { return `{"projects": [], "error": ` + tt.error + `}` }
			_, err := Resolve(t.Context(), eng, src, Options{})
			var failed *BuildError
			if !errors.As(err, &failed) || !strings.Contains(failed.Err.Error(), tt.says) || !strings.Contains(failed.Hint().String(), tt.hint) || !strings.Contains(strings.Join(failed.Lines, "\n"), tt.lines) {
				t.Errorf("got %v (%q)", err, failed.Hint())
			}
			if eng.open != 0 {
				t.Errorf("%d workshops are left", eng.open)
			}
		})
	}
}

// A release template that reads a variable which is not set is noted when the release is
// built.
func TestVariablesThatAReleaseReadsAtBuild(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	eng.mix = func(*fakeWorkshop) string {
		return says("/app", `, "unset": [{"release": "web", "file": "/app/rel/env.sh.eex", "line": 4, "env": "REGION"}, {"release": "job", "file": "/app/job/vm.args.eex", "line": 1, "env": "LIMIT"}]`)
	}
	for _, tt := range []struct {
		options Options
		want    []string
	}{
		{Options{}, nil},
		{Options{Release: true, ReleaseName: "job"}, []string{
			"job/vm.args.eex:1 reads the environment variable LIMIT, which is not set while the release is made: its text there is empty; set it for the build and the nodes: env: {LIMIT: …} in beamyard.yml",
		}},
		{Options{Release: true, ReleaseName: "web"}, []string{
			"rel/env.sh.eex:4 reads the environment variable REGION, which is not set while the release is made: its text there is empty; write ${REGION} there, which the shell reads when a node starts, or set it for the build and the nodes: env: {REGION: …} in beamyard.yml",
		}},
	} {
		var notes []string
		tt.options.Note = func(text string) { notes = append(notes, text) }
		resolved(t, eng, src, tt.options)
		if diff := cmp.Diff(tt.want, notes); diff != "" {
			t.Error(diff)
		}
	}
}

// Every command gets the environment, but neither the image's environment nor its name
// shows it.
func TestTheBuildsEnvironment(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	seen := 0
	eng.run = func(_ *fakeWorkshop, c Command) (string, int) {
		if !slices.Contains(c.Env, "TOKEN=hunter22") || !slices.Contains(c.Env, "MIX_ENV=prod") {
			t.Errorf("%q runs with %q", c.Args, c.Env)
		}
		seen++
		return "", 0
	}
	var notes []string
	o := Options{MixEnv: "prod", Env: map[string]string{"TOKEN": "hunter22"}, Secrets: []string{"TOKEN"}, Note: func(s string) { notes = append(notes, s) }}
	image := resolved(t, eng, src, o)
	if made := eng.images[image.Ref]; seen == 0 || strings.Contains(fmt.Sprint(made, image), "TOKEN") || !slices.Contains(made.Env, "MIX_ENV=prod") {
		t.Errorf("%d commands, %+v", seen, made)
	}
	if len(notes) != 0 {
		t.Errorf("the notes are %q", notes)
	}
}

// The output of a build contains no secret, neither while it is printed nor in an error.
func TestABuildPrintsNoSecret(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	eng.run = func(*fakeWorkshop, Command) (string, int) { return "the token is hunter22\nand no end: hunter22", 1 }
	var out strings.Builder
	_, err := Resolve(t.Context(), eng, src, Options{
		Progress: &out, Env: map[string]string{"TOKEN": "hunter22"}, Secrets: []string{"TOKEN"},
		Redact: strings.NewReplacer("hunter22", "[secret]").Replace,
	})
	if err == nil || strings.Contains(err.Error()+out.String(), "hunter22") || !strings.Contains(err.Error(), "the token is [secret]\n  and no end: [secret]") {
		t.Errorf("got %v\n%s", err, &out)
	}
}

// If a tool is missing, the project is built again with the tools, and the next time at
// once. The image itself is the slim one.
func TestMissingToolsAreAdded(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	tools := debianRef(Source{Kind: Debian, Suite: "trixie", More: buildTools})
	eng.images[tools] = Info{ID: idOf("tools")}
	attempts := 0
	eng.run = func(w *fakeWorkshop, c Command) (string, int) {
		if !strings.Contains(strings.Join(c.Args, " "), "mix compile") {
			return "", 0
		}
		attempts++
		if w.spec.Image.ID != idOf("tools") {
			return `** (Mix) "make" not found in the path.`, 1
		}
		w.files["/app/_build/made"] = "by make"
		return "", 0
	}
	resolved(t, eng, src, Options{})
	if attempts != 2 || !slices.Contains(eng.contexts[0], "_build/made") {
		t.Errorf("%d attempts, and the image holds %q", attempts, eng.contexts[0])
	}
	write(t, src.Dir, map[string]string{"lib/tiny.ex": "defmodule Tiny do\n\nend\n"})
	if resolved(t, eng, src, Options{}); attempts != 3 {
		t.Errorf("%d attempts: the need for tools was forgotten", attempts)
	}
}

// A commit causes a new image only for a project that asks git.
func TestACommitMattersIfGitIsAsked(t *testing.T) {
	for _, asks := range []bool{true, false} {
		t.Run(fmt.Sprint(asks), func(t *testing.T) {
			eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
			eng.images[debianRef(Source{Kind: Debian, Suite: "trixie", More: buildTools})] = Info{ID: idOf("tools")}
			write(t, src.Dir, map[string]string{".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": "1\n", ".git/hooks/x": "no", ".git/objects/ab/c": "o"})
			var repository []string
			eng.run = func(w *fakeWorkshop, c Command) (string, int) {
				if !strings.Contains(strings.Join(c.Args, " "), "mix compile") {
					return "", 0
				}
				_, lent := w.files["/app/.git/HEAD"]
				if asks && !lent {
					return "git: not found\n", asksGit
				}
				for name := range maps.Keys(w.files) {
					if strings.HasPrefix(name, "/app/.git/") && !strings.HasSuffix(name, "/") {
						repository = append(repository, name)
					}
				}
				return "", 0
			}
			first := resolved(t, eng, src, Options{})
			slices.Sort(repository)
			want := []string{"/app/.git/HEAD", "/app/.git/objects/ab/c", "/app/.git/refs/heads/main"}
			if !asks {
				want = nil
			}
			if diff := cmp.Diff(want, repository); diff != "" {
				t.Error(diff)
			}
			if _, kept := eng.made[first.Ref]["/usr/local/bin/git"]; kept != asks {
				t.Errorf("the image has git's answers: %t", kept)
			}
			write(t, src.Dir, map[string]string{".git/refs/heads/main": "2\n"})
			if second := resolved(t, eng, src, Options{}); (second.Ref != first.Ref) != asks {
				t.Errorf("%s, then %s", first.Ref, second.Ref)
			}
		})
	}
}

func TestFindRepository(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"main/.git/HEAD": "ref: refs/heads/main\n", "main/.git/worktrees/w/HEAD": "ref: refs/heads/w\n", "main/.git/worktrees/w/commondir": "../..\n",
		"w/.git": "gitdir: " + dir + "/main/.git/worktrees/w\n", "w/apps/web/mix.exs": "", "none/mix.exs": "",
	})
	join := func(p string) string { return filepath.Join(dir, p) }
	for at, want := range map[string]repository{
		"main":       {join("main"), join("main/.git"), join("main/.git")},
		"w/apps/web": {join("w"), join("main/.git/worktrees/w"), join("main/.git")},
		"none":       {},
	} {
		if got := findRepository(join(at)); got != want {
			t.Errorf("%s: %+v, want %+v", at, got, want)
		}
	}
}

func TestFilesOfAnotherSystem(t *testing.T) {
	elf := func(machine byte) string {
		return "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x03\x00" + string([]byte{machine, 0}) + strings.Repeat("\x00", 40)
	}
	macho := "\xcf\xfa\xed\xfe" + strings.Repeat("\x00", 40)
	for name, tt := range map[string]struct {
		data string
		out  bool
	}{
		"priv/nif.so":              {elf(62), false},
		"priv/arm.so":              {elf(183), true},
		"priv/mac.so":              {macho, true},
		"priv/bin/tool":            {macho, true},
		"c_src/nif.o":              {macho, true},
		"apps/a/priv/mac.so":       {macho, true},
		"priv/static/app.js":       {strings.Repeat("js", 20), false},
		"lib/fixture.bin":          {macho, false},
		"priv/java/A.class":        {"\xca\xfe\xba\xbe" + strings.Repeat("\x00", 40), false},
		"priv/universal.so":        {"\xca\xfe\xba\xbe" + strings.Repeat("\x00", 40), true},
		"priv/truncated.so":        {"\x7fELF", false},
		"priv/windows.dll":         {"MZ" + strings.Repeat("\x00", 40), true},
		"priv/static/MZ-manual.md": {"MZ" + strings.Repeat(" ", 40), false},
	} {
		if got := otherSystem(textEntry(name, tt.data, 0o644), "amd64"); got != tt.out {
			t.Errorf("%s is of another system: %t", name, got)
		}
	}
}

// A damaged memory file does no harm, whatever it contains.
func TestMemoryThatIsBroken(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	first := resolved(t, eng, src, Options{})
	file, err := memoryFile(realDir(t, src))
	must(t, err)
	for _, text := range []string{"", "{", `{"said": null}`, `{"latest": "x", "said": {"x": {}}}`} {
		must(t, os.WriteFile(file, []byte(text), 0o600))
		if again := resolved(t, eng, src, Options{}); again.Ref != first.Ref || again.Built {
			t.Errorf("%q: %+v", text, again)
		}
	}
	var m memory
	data, err := os.ReadFile(file)
	must(t, err)
	must(t, json.Unmarshal(data, &m))
	if m.Said[m.Latest].App != "tiny" {
		t.Errorf("remembered %s", data)
	}
}

func realDir(t *testing.T, src Source) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(src.Dir)
	must(t, err)
	return dir
}
