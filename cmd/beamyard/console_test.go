package main

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// upOn starts a cluster of the demo in the background, and returns the environment in
// which commands find it.
func upOn(t *testing.T, name, base string, nodes int) (cluster string, env []string) {
	t.Helper()
	demo, err := demoDir()
	if err != nil {
		t.Fatal(err)
	}
	cluster = clusterName(name)
	env = []string{"XDG_RUNTIME_DIR=" + t.TempDir(), "BEAMYARD_CLUSTER=" + cluster}
	t.Cleanup(func() { removeCluster(t, cluster, append(os.Environ(), env...)) })
	file := filepath.Join(t.TempDir(), "beamyard.yml")
	spec := "name: " + cluster + "\nsource: " + demo + "\nbase_image: " + base + "\nnodes: " + strconv.Itoa(nodes) + "\n"
	if err := os.WriteFile(file, []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	answer(t, env, "up", "-f", file, "-d")
	return cluster, env
}

// A remote shell as a user sees it, on the oldest and the newest release of Elixir, which
// edit lines in very different ways.
func TestIEx(t *testing.T) {
	t.Parallel()
	for name, base := range map[string]string{"otp25": "bookworm", "otp27": "trixie"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster, env := upOn(t, "iex-"+name, base, 2)
			prompt := "iex(app@n1." + cluster + ".test)"
			x := onTerminal(t, append(env, "TERM=unheard-of"), "iex", "n1") // lines can be edited even there
			x.shows(prompt + "1>")
			if sameModes(modes(t, x.tty), plainModes(t)) {
				t.Error("the terminal does not pass keys on unchanged")
			}
			x.types("40 + 2\r")
			x.shows("\n42\n" + prompt + "2>")
			x.types("Enum.cou\t") // completes to the only match
			x.shows("Enum.count")
			x.types("([1, 2, 7]) + 100\r")
			x.shows("\n103\n")
			x.types(`Node.list(:hidden) |> Enum.count(&(to_string(&1) =~ "shell-"))` + "\r")
			x.shows("\n1\n")
			x.types(":io.columns\r")
			x.shows("{:ok, 120}")
			if err := pty.Setsize(x.tty, &pty.Winsize{Rows: 40, Cols: 99}); err != nil {
				t.Fatal(err)
			}
			x.types("Stream.repeatedly(&:io.columns/0) |> Enum.find(&match?({_, 99}, &1))\r")
			x.shows("{:ok, 99}")
			// Peers do not see the shell, and it does not listen.
			if out := answer(t, env, "rpc", "n2", `Node.list(:connected) |> Enum.count(&(to_string(&1) =~ "shell-"))`); out != "0\n" {
				t.Errorf("n2 sees the shell: %s", out)
			}
			const listening = "cat /proc/net/tcp /proc/net/tcp6 | grep -c ' 0A '"
			if here, there := answer(t, env, "exec", "n1", "--", "sh", "-c", listening), answer(t, env, "exec", "n2", "--", "sh", "-c", listening); here != there {
				t.Errorf("%s sockets listen with a shell, and %s without", here, there)
			}
			x.types(ctrlC) // goes to the shell: its VM asks what to do, and continues
			x.shows("BREAK: (a)bort")
			x.types("c\r")
			x.types("self() |> node() |> to_string() |> String.upcase()\r")
			x.shows(strings.ToUpper("app@n1." + cluster + ".test"))
			// OTP writes its history every two seconds.
			answer(t, env, "exec", "n1", "--", "sh", "-c", "until grep -aqs upcase /tmp/beamyard-shell-*/*/*; do sleep 0.1; done")
			x.types("\x1c") // Ctrl-\
			if code := x.exits(); code != 0 || !sameModes(modes(t, x.tty), plainModes(t)) {
				t.Errorf("left: exit %d, the terminal's modes are restored: %v", code, sameModes(modes(t, x.tty), plainModes(t)))
			}

			// The typed line is recalled in the next shell, and the end of the node is reported.
			x = onTerminal(t, env, "iex", cluster+"/n1")
			x.shows(prompt + "1>")
			x.types("\x1b[A") // the arrow key
			x.shows("1> self() |> node()")
			answer(t, env, "kill", "n1")
			if code := x.exits(); code != exitError || !sameModes(modes(t, x.tty), plainModes(t)) {
				t.Errorf("killed: exit %d, the terminal's modes are restored: %v", code, sameModes(modes(t, x.tty), plainModes(t)))
			}
			for _, want := range []string{" n1 ended (exit 137, killed)\n", "\nhint: it is restarted: beamyard iex " + cluster + "/n1\n"} {
				if !strings.Contains(x.String(), want) {
					t.Errorf("no %q in\n%s", want, x)
				}
			}
			if name == "otp27" {
				restoresTerminal(t, env)
			}
		})
	}
}

// restoresTerminal checks that a command restores the terminal however it is ended from outside.
func restoresTerminal(t *testing.T, env []string) {
	t.Helper()
	proxy, cut := cuttable(t)
	for _, tc := range []struct {
		name string
		end  func(x *terminal)
		code int
		says string
	}{
		{"SIGTERM", func(x *terminal) { kill(t, x, syscall.SIGTERM) }, exitInterrupted, ""},
		{"SIGHUP", func(x *terminal) { kill(t, x, syscall.SIGHUP) }, exitInterrupted, ""},
		{"SIGQUIT", func(x *terminal) { kill(t, x, syscall.SIGQUIT) }, goQuit, "SIGQUIT: quit"},
		{"its engine is gone", func(*terminal) { cut() }, exitUnsupported, "Cannot connect"},
	} {
		x := onTerminal(t, append(env, "DOCKER_HOST=unix://"+proxy), "exec", "n2", "--", "sh", "-c", "echo here; exec cat")
		x.shows("here")
		tc.end(x)
		if code := x.exits(); code != tc.code || !sameModes(modes(t, x.tty), plainModes(t)) || !strings.Contains(x.String(), tc.says) {
			t.Errorf("%s: exit %d, the terminal's modes are restored: %v\n%s", tc.name, code, sameModes(modes(t, x.tty), plainModes(t)), x)
		}
	}
}

// goQuit is the exit code of a Go program that is ended by SIGQUIT. Source: package
// os/signal.
const goQuit = 2

func kill(t *testing.T, x *terminal, s syscall.Signal) {
	t.Helper()
	if err := x.cmd.Process.Signal(s); err != nil {
		t.Error(err)
	}
}

// engineSocket returns the address of the tests' engine, in the terms of package net.
func engineSocket() (network, address string) {
	if network, address, found := strings.Cut(os.Getenv("DOCKER_HOST"), "://"); found {
		return network, address
	}
	return "unix", "/var/run/docker.sock"
}

// cuttable returns a socket that forwards to the engine until cut is called.
func cuttable(t *testing.T) (path string, cut func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	network, address := engineSocket()
	var mu sync.Mutex
	var conns []net.Conn
	join := func(from net.Conn) {
		to, err := net.Dial(network, address)
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		conns = append(conns, from, to)
		mu.Unlock()
		go func() { _, _ = io.Copy(to, from); _ = to.(interface{ CloseWrite() error }).CloseWrite() }()
		go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			join(c)
		}
	}()
	cut = func() {
		_ = l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			_ = c.Close()
		}
	}
	t.Cleanup(cut)
	return path, cut
}

// modes returns a terminal's modes, as in termios(3).
func modes(t *testing.T, tty *os.File) *term.State {
	t.Helper()
	raw, err := tty.SyscallConn() // Fd would make its reads block
	if err != nil {
		t.Fatal(err)
	}
	var state *term.State
	var stateErr error
	if err := raw.Control(func(fd uintptr) { state, stateErr = term.GetState(int(fd)) }); err != nil || stateErr != nil {
		t.Fatal(err, stateErr)
	}
	return state
}

// plainModes returns the modes of a new terminal.
func plainModes(t *testing.T) *term.State {
	t.Helper()
	own, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	defer tty.Close()
	return modes(t, own)
}

func sameModes(a, b *term.State) bool { return reflect.DeepEqual(a, b) }

// answer runs a command line and returns its stdout.
func answer(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "beamyard", args...)
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", args, err, out, &stderr)
	}
	return string(out)
}
