package images

import (
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
