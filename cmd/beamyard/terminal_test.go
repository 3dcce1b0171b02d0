package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// terminal is a command that runs on its own pseudo-terminal.
type terminal struct {
	t    *testing.T
	cmd  *exec.Cmd
	tty  *os.File
	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // gets a token after each read
	done chan struct{} // closed when all is read
}

func onTerminal(t *testing.T, env []string, args ...string) *terminal {
	t.Helper()
	return programOnTerminal(t, "", env, "beamyard", args...)
}

// programOnTerminal runs a program in a folder; "" is this one.
func programOnTerminal(t *testing.T, dir string, env []string, program string, args ...string) *terminal {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "TERM=xterm", "NO_COLOR="), env...)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 30, Cols: 120})
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, cmd: cmd, tty: tty, more: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(x.done)
		buf := make([]byte, 4096)
		for {
			n, err := tty.Read(buf) // EIO when the other side is closed
			x.mu.Lock()
			x.text.Write(buf[:n])
			x.mu.Unlock()
			select {
			case x.more <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { tty.Close(); <-x.done })
	return x
}

func (x *terminal) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.ReplaceAll(x.text.String(), "\r\n", "\n")
}

// shows waits until the terminal has shown a text.
func (x *terminal) shows(text string) {
	x.t.Helper()
	deadline := time.After(90 * time.Second)
	for !strings.Contains(x.String(), text) {
		select {
		case <-x.more:
		case <-x.done:
			if !strings.Contains(x.String(), text) {
				x.t.Fatalf("ended without %q:\n%s", text, x)
			}
		case <-deadline:
			x.t.Fatalf("no %q in\n%s", text, x)
		}
	}
}

func (x *terminal) types(text string) {
	x.t.Helper()
	if _, err := io.WriteString(x.tty, text); err != nil {
		x.t.Fatal(err)
	}
}

// exits waits for the end and returns the exit code.
func (x *terminal) exits() int {
	x.t.Helper()
	<-x.done
	err := x.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		x.t.Fatal(err)
	}
	return x.cmd.ProcessState.ExitCode()
}

func TestColoursOnlyWhereTheyAreWanted(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		env  string
		want string
	}{
		{"NO_COLOR=", "\x1b[31;1merror:\x1b[0m unexpected argument nonsense\n"},
		{"NO_COLOR=1", "error: unexpected argument nonsense\n"},
		{"TERM=dumb", "error: unexpected argument nonsense\n"},
	} {
		x := onTerminal(t, []string{tc.env}, "nonsense")
		if code := x.exits(); code != exitUsage || !strings.HasPrefix(x.String(), tc.want) {
			t.Errorf("%s: exit %d, %q", tc.env, code, x)
		}
	}
}

const ctrlC = "\x03"

// A foreground cluster on a terminal: the progress is drawn in place, then come its
// coloured logs. The first Ctrl-C stops it, and nothing is left.
func TestForegroundOnATerminal(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		twice bool
	}{{"once", false}, {"twice", true}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			demo, err := demoDir()
			if err != nil {
				t.Fatal(err)
			}
			cluster := clusterName("tty-" + tc.name)
			env := []string{"XDG_RUNTIME_DIR=" + t.TempDir()}
			defer removeCluster(t, cluster, append(os.Environ(), env...))
			x := onTerminal(t, env, "up", demo, "--name", cluster, "-n", "2")
			x.shows("Ctrl-C stops " + cluster)
			up := x.String()
			if !strings.Contains(up, hideCursor) || strings.LastIndex(up, showCursor) < strings.LastIndex(up, hideCursor) {
				t.Errorf("the cursor is not restored: %q", up)
			}
			for _, want := range []string{"  ✓ n1  ready", "\x1b[32mReady\x1b[0m"} {
				if !strings.Contains(up, want) {
					t.Errorf("no %q in\n%s", want, up)
				}
			}
			x.shows("\x1b[36mn1 |\x1b[0m ")
			x.types(ctrlC)
			x.shows("stopping " + cluster)
			if tc.twice {
				x.types(ctrlC)
			}
			if code := x.exits(); code != exitInterrupted {
				t.Errorf("exit %d:\n%s", code, x)
			}
			if !strings.HasSuffix(x.String(), cluster+" is down\n") {
				t.Errorf("no final message:\n%s", x)
			}
			if err := nothingLeft(t.Context(), cluster); err != nil {
				t.Error(err)
			}
		})
	}
}

// Ctrl-C before the cluster is ready removes what was begun, also with -d.
func TestInterruptWhileComingUp(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--detach", "--progress=tty"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			demo, err := demoDir()
			if err != nil {
				t.Fatal(err)
			}
			cluster := clusterName("int" + flag)
			env := []string{"XDG_RUNTIME_DIR=" + t.TempDir()}
			defer removeCluster(t, cluster, append(os.Environ(), env...))
			x := onTerminal(t, env, "up", demo, "--name", cluster, "-n", "3", flag)
			x.shows("starting 3 nodes")
			x.types(ctrlC)
			if code := x.exits(); code != exitInterrupted {
				t.Errorf("exit %d:\n%s", code, x)
			}
			if !strings.HasSuffix(x.String(), showCursor+"stopping "+cluster+"; Ctrl-C again does not wait for its nodes\n"+cluster+" is down\n") {
				t.Errorf("final messages:\n%q", x)
			}
			if err := nothingLeft(t.Context(), cluster); err != nil {
				t.Error(err)
			}
		})
	}
}
