package manifest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// The shell is put before what the container would run.
func TestParkedRunsTheSameCommand(t *testing.T) {
	t.Parallel()
	image := images.Info{Entrypoint: []string{"/entry"}, Cmd: []string{"serve", "-a"}}
	for name, tt := range map[string]struct {
		c     orchestrator.ContainerSpec
		image images.Info
		want  string
	}{
		"a command, no entrypoint":      {orchestrator.ContainerSpec{Command: []string{"elixir", "-e", "1"}}, images.Info{Cmd: []string{"iex"}}, "elixir -e 1"},
		"a command, the image's entry":  {orchestrator.ContainerSpec{Command: []string{"console"}}, image, "/entry console"},
		"an entrypoint":                 {orchestrator.ContainerSpec{Entrypoint: []string{"tini", "--"}}, image, "tini --"},
		"an entrypoint and a command":   {orchestrator.ContainerSpec{Entrypoint: []string{"tini"}, Command: []string{"x"}}, image, "tini x"},
		"the image's":                   {orchestrator.ContainerSpec{}, image, "/entry serve -a"},
		"an image that has only a Cmd":  {orchestrator.ContainerSpec{}, images.Info{Cmd: []string{"iex"}}, "iex"},
		"an image that has no command ": {orchestrator.ContainerSpec{}, images.Info{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open, waits := Waits(Parked(tt.c, tt.image))
			if got := strings.Join(slices.Concat(open.Entrypoint, open.Command), " "); got != tt.want || !waits {
				t.Errorf("%q, waits %t", got, waits)
			}
			if _, waits := Waits(tt.c); waits {
				t.Error("it waits by itself")
			}
		})
	}
}

// parkedShell runs the shell of a parked node on this machine. Its file is the test's own.
type parkedShell struct {
	file string
	cmd  *exec.Cmd
	out  bytes.Buffer
}

func newParkedShell(t *testing.T, shell []string, command ...string) *parkedShell {
	t.Helper()
	p := &parkedShell{file: filepath.Join(t.TempDir(), "parked")}
	args := slices.Concat(shell[1:], []string{"-c", strings.ReplaceAll(parkedWait, ParkedFile, p.file), "sh"}, command)
	p.cmd = exec.Command(shell[0], args...) // shells of this machine
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "A=a b", "file=kept", "LANG=C.UTF-8"}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	return p
}

// wait starts the shell, and returns once it waits.
func (p *parkedShell) wait(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(p.file, []byte("starting\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		info, err := os.Stat(p.file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not wait")
		}
	}
}

func (p *parkedShell) end(t *testing.T) (code int, out string) {
	t.Helper()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode(), p.out.String()
}

// report prints what a process gets from the one before it.
const report = `env | grep -v -e '^_=' -e '^PWD=' -e '^SHLVL=' -e '^OLDPWD=' | sort
echo children $(wc -w </proc/$$/task/$$/children); trap; umask; pwd; readlink /proc/$$/fd/0; exit 7`

// In each shell, a command runs after the signal as it runs without waiting: with the same
// environment, input, process and exit code, and nothing else is printed.
func TestAShellWaits(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skip("it looks at Linux processes")
	}
	for name, shell := range map[string][]string{"sh": {"sh"}, "dash": {"dash"}, "bash": {"bash", "--posix"}, "busybox": {"busybox", "sh"}} {
		if _, err := exec.LookPath(shell[0]); err != nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := newParkedShell(t, shell, "sh", "-c", report)
			if err := at.cmd.Start(); err != nil {
				t.Fatal(err)
			}
			wantCode, want := at.end(t)

			p := newParkedShell(t, shell, "sh", "-c", report)
			p.wait(t)
			if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
				t.Fatal(err)
			}
			code, got := p.end(t)
			if diff := cmp.Diff(want, got); diff != "" || code != 7 || wantCode != 7 {
				t.Errorf("exit codes %d and %d; output (-at once +after waiting):\n%s", wantCode, code, diff)
			}
			if _, err := os.Stat(p.file); err == nil {
				t.Error("its next run would wait")
			}

			p = newParkedShell(t, shell, "sh", "-c", report)
			p.wait(t)
			if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if code, got := p.end(t); code != 143 || got != "" {
				t.Errorf("after SIGTERM: exit code %d, %q", code, got)
			}
		})
	}
}
