package images

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The answers of git are replayed on a machine without git, including the exit code. The
// position of the recorder in PATH does not matter: the VM puts folders before it.
func TestAnswersOfGitAreReplayed(t *testing.T) {
	dir := t.TempDir()
	here := func(text string) string { return strings.ReplaceAll(text, "/home/beamyard", dir) }
	git := "#!/bin/sh\n[ $1 = describe ] && echo \"v1 $2\" && exit 0\necho 'fatal: no' >&2; exit 128\n"
	for name, text := range map[string]string{
		here(shimPath) + "/git": here(recorder), dir + "/real/git": git, dir + "/replay/git": here(replay),
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(path string, args ...string) (string, int) {
		cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `git "$@"`, "sh"}, args...)...)
		cmd.Env = []string{"PATH=" + path + ":/usr/bin:/bin"}
		out, _ := cmd.CombinedOutput() // its error is the exit code, which is returned
		return string(out), cmd.ProcessState.ExitCode()
	}
	recording, replaying := dir+"/erts/bin:"+here(shimPath)+":"+dir+"/real", dir+"/replay"
	for _, args := range [][]string{{"describe", "--tags"}, {"describe", "a b"}, {"rev-parse", "HEAD"}} {
		first, code := ask(recording, args...)
		again, codeAgain := ask(replaying, args...)
		if first != again || code != codeAgain || !strings.HasPrefix(first, "v1 ") && code != 128 {
			t.Errorf("%q: %q (%d), and then %q (%d)", args, first, code, again, codeAgain)
		}
	}
}

// Mix's questions about a git dependency get git's own answers, where there is no git: of the
// commit that Mix checks out, and of what people do in a folder of deps.
func TestQuestionsAboutDependenciesNeedNoGit(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"replay": replay, "shim": shim} {
		text = strings.ReplaceAll(text, "/home/beamyard", dir)
		text = strings.ReplaceAll(text, "/usr/bin/git /bin/git", "") // an image without it
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "git"), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	in := func(folder, program string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		out, _ := cmd.Output() // an exit code is part of the answer
		return fmt.Sprintf("%s(%d)", out, cmd.ProcessState.ExitCode())
	}
	for name, steps := range map[string][]string{
		"as Mix leaves it":      {"checkout -q --detach HEAD"},
		"a branch":              {"checkout -q -b a/b"},
		"a packed branch":       {"checkout -q -b a.b", "branch a-b", "tag v1", "pack-refs --all"},
		"no commit":             {"checkout -q --orphan none"},
		"another remote before": {"remote rename origin old", "remote add origin https://git.test/new.git"},
		"a URL in quotes":       {"remote set-url origin https://git.test/a#b;c.git"},
		"a second URL":          {"remote set-url --add origin https://git.test/second.git"},
		"no remote":             {"remote remove origin"},
	} {
		t.Run(name, func(t *testing.T) {
			dep := t.TempDir()
			for _, step := range append([]string{
				"init -q", "remote add origin https://git.test/x.git",
				"-c user.name=n -c user.email=e commit -q --allow-empty -m 1",
			}, steps...) {
				if got := in(dep, "git", strings.Fields(step)...); got != "(0)" {
					t.Fatalf("git %s: %s", step, got)
				}
			}
			for _, question := range []string{"config remote.origin.url", "rev-parse --verify --quiet HEAD"} {
				args := append([]string{"--git-dir=.git"}, strings.Fields(question)...)
				want := in(dep, "git", args...)
				for _, stub := range []string{"replay", "shim"} {
					got := in(dep, filepath.Join(dir, stub, "git"), args...)
					// To Mix, one code other than 0 is as good as the other.
					if got != want && (want != "(1)" || !strings.HasPrefix(got, "(") || got == "(0)") {
						t.Errorf("%s: %s of %s, want %s", question, got, stub, want)
					}
				}
			}
		})
	}
}

// A project with git dependencies does not ask git itself. Its image can answer for them.
func TestAGitDependencyIsNoQuestionOfTheProject(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	eng.images[debianRef(Source{Kind: Debian, Suite: "trixie", More: buildTools})] = Info{ID: idOf("tools")}
	eng.mix = func(*fakeWorkshop) string { return says("/app", `, "deps": [{"app": "x", "kind": "git"}]`) }
	image := resolved(t, eng, src, Options{})
	if text := eng.made[image.Ref]["/usr/local/bin/git"]; text != replay {
		t.Errorf("its git: %q", text)
	}
}
