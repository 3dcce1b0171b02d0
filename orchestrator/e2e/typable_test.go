package e2e_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest/turn"
)

// systems are commands of the user's system and of Elixir, which need not exist on the
// machine that runs a test.
var systems = []string{"ss", "ip", "df", "mix", "systemctl", "usermod", "apt-get", "epmd"}

var (
	programOnce sync.Once
	programPath string
	errProgram  error
)

// helps caches the help texts of commands: a func() (string, error) for each.
var helps sync.Map

// mustBeTypable fails when a finding has no command, or one that does not exist:
// the commands of beamyard and docker are asked for their help, and for each flag.
func mustBeTypable(t *testing.T, f orchestrator.Finding) {
	t.Helper()
	commands := 0
	for _, s := range f.Solutions {
		if len(s.Do) == 0 {
			continue
		}
		commands++
		for _, part := range strings.Split(s.Do.String(), " && ") {
			checkCommand(t, f.Code, part)
		}
	}
	if commands == 0 {
		t.Errorf("%s has no command to type: %+v", f.Code, f.Solutions)
	}
}

var flags = regexp.MustCompile(` (--[a-z][a-z-]*|-[a-z])\b`)

func checkCommand(t *testing.T, code orchestrator.FindingCode, command string) {
	t.Helper()
	words := strings.Fields(strings.TrimPrefix(command, "sudo "))
	name := words[0]
	switch name {
	case "beamyard":
		help(t, code, command, program(t), words[1])
	case "docker":
		sub := words[1:2]
		if slices.Contains([]string{"image", "network", "context", "system"}, words[1]) {
			sub = words[1:3]
		}
		help(t, code, command, "docker", sub...)
	default:
		if _, err := exec.LookPath(name); err != nil && !slices.Contains(systems, name) {
			t.Errorf("%s: the command %s does not exist: %s", code, name, command)
		}
	}
}

// help asks a command for its help, and looks for each flag in it.
func help(t *testing.T, code orchestrator.FindingCode, command, path string, sub ...string) {
	t.Helper()
	asked, _ := helps.LoadOrStore(strings.Join(append([]string{path}, sub...), " "), sync.OnceValues(func() (string, error) {
		out, err := exec.Command(path, append(slices.Clone(sub), "--help")...).CombinedOutput()
		return string(out), err
	}))
	out, err := asked.(func() (string, error))()
	if err != nil {
		t.Errorf("%s: %s: %v\n%s", code, command, err, out)
	}
	own, _, _ := strings.Cut(command, " sh") // what follows belongs to the other program
	own, _, _ = strings.Cut(own, " '")
	for _, m := range flags.FindAllStringSubmatch(own, -1) {
		if !strings.Contains(out, m[1]) {
			t.Errorf("%s: %s has no flag %s: %s", code, filepath.Base(path), m[1], command)
		}
	}
}

// program builds beamyard once.
func program(t *testing.T) string {
	t.Helper()
	programOnce.Do(func() {
		programPath = filepath.Join(buildDir, "beamyard")
		_, errProgram = exec.Command("go", "build", "-o", programPath, "../../cmd/beamyard").CombinedOutput()
	})
	if errProgram != nil {
		t.Fatalf("build beamyard: %v", errProgram)
	}
	return programPath
}

// buildDir is the folder of files that tests build once.
var buildDir string

func TestMain(m *testing.M) {
	turn.Take()
	dir, err := os.MkdirTemp("", "beamyard-test-")
	if err != nil {
		panic(err)
	}
	buildDir = dir
	// Three at once keep two processors busy: with more, nodes miss their deadlines on a slow machine.
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir) // in the system's own temporary folder
	os.Exit(code)
}
