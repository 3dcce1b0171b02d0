package tunnel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/beamyard/beamyard/orchestrator/docker/tunnel"
)

// This test binary is also the ssh command of its tests. What it forwards to 127.0.0.1 is at
// 127.0.0.2 of this machine: the other machine's loopback.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "ssh" {
		os.Exit(fakeSSH(os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// fakeSSH does what ssh does with the flags that a tunnel gives it. $FAKE_SSH_LOG gets a line for
// each run, $FAKE_SSH_SERVER says how the server behaves.
func fakeSSH(args []string) int {
	flags := map[string]string{}
	var rest []string
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-o", "-S", "-W", "-l", "-p":
			flags[args[i]] = args[i+1]
			i++
		case "-T", "-M":
			flags[args[i]] = "set"
		case "--":
			rest, i = args[i+1:], len(args)
		default:
			fmt.Fprintln(os.Stderr, "unknown flag", args[i])
			return 255
		}
	}
	_, err := os.Stat(flags["-S"])
	shared := err == nil
	log, err := os.OpenFile(os.Getenv("FAKE_SSH_LOG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 255
	}
	fmt.Fprintf(log, "%s master=%t shared=%t -l %s %s\n", flags["-W"], flags["-M"] != "", shared, flags["-l"], strings.Join(rest, " "))
	log.Close()
	switch server := os.Getenv("FAKE_SSH_SERVER"); {
	case server == "away":
		fmt.Fprintln(os.Stderr, "ssh: connect to host big2 port 22: No route to host")
		return 255
	case flags["-M"] != "" && server == "no-master":
		return 255
	case flags["-M"] != "":
		if os.WriteFile(flags["-S"], strconv.AppendInt(nil, int64(os.Getpid()), 10), 0o600) != nil || strings.Join(rest, " ") != "big2 cat" {
			return 255
		}
		defer os.Remove(flags["-S"])
		_, _ = io.Copy(os.Stdout, os.Stdin)
		return 0
	case server == "refuses":
		fmt.Fprintln(os.Stderr, "channel 0: open failed: administratively prohibited: open failed\nstdio forwarding failed")
		return 255
	}
	_, port, _ := net.SplitHostPort(flags["-W"])
	conn, err := net.Dial("tcp", "127.0.0.2:"+port)
	if err != nil {
		fmt.Fprintln(os.Stderr, "channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed")
		return 255
	}
	go func() {
		_, _ = io.Copy(conn, os.Stdin)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(os.Stdout, conn)
	return 0
}

// setUp puts the fake ssh first on the path, and returns what it logs.
func setUp(t *testing.T, server string) (log func() string) {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, "ssh"))
	}
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "log")
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("FAKE_SSH_LOG", file)
	t.Setenv("FAKE_SSH_SERVER", server)
	t.Setenv("TMPDIR", dir) // of the master's socket
	return func() string {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(text)
	}
}

// remote answers each line on a port of the other machine's loopback with the line in upper case.
func remote(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 1024)
				for {
					n, err := conn.Read(buf)
					if _, werr := conn.Write(bytes.ToUpper(buf[:n])); err != nil || werr != nil {
						return
					}
				}
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

// dial connects to a port of this machine's loopback, once it is there.
func dial(t *testing.T, port uint16) net.Conn {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return conn
		}
		select {
		case <-deadline:
			t.Fatal(err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func asks(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != strings.ToUpper(text) {
		t.Fatalf("%q: %q, %v", text, got, err)
	}
}

// ends waits until the other side closes a connection.
func ends(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if n, err := conn.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d bytes, %v", n, err)
	}
}

// Connections to the port here reach the port there, all through the master's connection.
func TestForward(t *testing.T) {
	log, port := setUp(t, ""), remote(t)
	tun := tunnel.New("-l", "build", "--", "big2")
	defer tun.Close()
	if log() != "" {
		t.Fatalf("New ran ssh: %s", log())
	}
	tun.Forward("n1", port)
	a := dial(t, port)
	defer a.Close()
	asks(t, a, "first")
	b := dial(t, port)
	asks(t, b, "second")
	asks(t, a, "again")
	b.Close()
	if want := fmt.Sprintf(" master=true shared=false -l build big2 cat\n127.0.0.1:%[1]d master=false shared=true -l build big2\n127.0.0.1:%[1]d master=false shared=true -l build big2\n", port); log() != want {
		t.Errorf("ssh ran as\n%swant\n%s", log(), want)
	}
	tun.Close()
	ends(t, a)
	if left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "beamyard-ssh-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
	tun.Forward("n1", port) // does nothing
	if ports := tun.Ports(); ports != "" {
		t.Errorf("forwarded after Close: %s", ports)
	}
}

// A port of several owners is open until the last one has released it; its connections end then.
func TestRelease(t *testing.T) {
	setUp(t, "")
	port, other := remote(t), remote(t)
	tun := tunnel.New("--", "big2")
	defer tun.Close()
	tun.Forward("n1", port)
	tun.Forward("n1", port)
	tun.Forward("n2", port)
	tun.Forward("n2", other)
	conn, kept := dial(t, port), dial(t, other)
	defer conn.Close()
	defer kept.Close()
	tun.Release("n1")
	asks(t, conn, "still there")
	tun.Forward("n3", other)
	tun.Release("n2")
	ends(t, conn)
	asks(t, kept, "of another owner")
	if want := fmt.Sprint(other); tun.Ports() != want {
		t.Errorf("forwarded: %s, want %s", tun.Ports(), want)
	}
}

// A port that another process listens on is forwarded once it is free: the supervisor of a cluster
// has died, and a command needs its nodes.
func TestAPortThatIsTakenIsForwardedLater(t *testing.T) {
	setUp(t, "")
	port := remote(t)
	other, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	tun := tunnel.New("--", "big2")
	defer tun.Close()
	tun.Forward("n1", port)
	there, err := net.Dial("tcp", other.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	there.Close() // the other process has the port
	other.Close()
	conn := dial(t, port)
	defer conn.Close()
	asks(t, conn, "mine")
}

// A process that was killed leaves the empty folder of its master's socket: the next tunnel removes
// it. A folder that has a socket, or is new, stays.
func TestFoldersOfDeadProcesses(t *testing.T) {
	setUp(t, "")
	port, hourAgo := remote(t), time.Now().Add(-time.Hour)
	folder := func(name string) string { return filepath.Join(os.Getenv("TMPDIR"), "beamyard-ssh-"+name) }
	for _, name := range []string{"dead", "used", "new"} {
		if err := os.Mkdir(folder(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if name == "used" {
			if err := os.WriteFile(filepath.Join(folder(name), "m"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if name != "new" {
			if err := os.Chtimes(folder(name), hourAgo, hourAgo); err != nil {
				t.Fatal(err)
			}
		}
	}
	tun := tunnel.New("--", "big2")
	defer tun.Close()
	tun.Forward("n1", port)
	conn := dial(t, port)
	asks(t, conn, "there")
	conn.Close()
	for name, want := range map[string]bool{"dead": false, "used": true, "new": true} {
		if _, err := os.Stat(folder(name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Where no master can be started, each connection has its own.
func TestWithoutAMaster(t *testing.T) {
	log, port := setUp(t, "no-master"), remote(t)
	tun := tunnel.New("--", "big2")
	defer tun.Close()
	tun.Forward("n1", port)
	for range 2 {
		conn := dial(t, port)
		asks(t, conn, "alone")
		conn.Close()
	}
	if got := log(); strings.Count(got, "master=true") != 1 || strings.Count(got, "master=false shared=false") != 2 {
		t.Errorf("ssh ran as\n%s", got)
	}
}

// A master that ends is started again by the next connection.
func TestAMasterThatEnds(t *testing.T) {
	log, port := setUp(t, ""), remote(t)
	tun := tunnel.New("--", "big2")
	defer tun.Close()
	tun.Forward("n1", port)
	conn := dial(t, port)
	asks(t, conn, "one")
	conn.Close()
	sockets, _ := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "beamyard-ssh-*", "m"))
	if len(sockets) != 1 {
		t.Fatalf("masters: %v", sockets)
	}
	text, err := os.ReadFile(sockets[0])
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(20 * time.Second)
	for strings.Count(log(), "master=true") < 2 {
		conn := dial(t, port)
		asks(t, conn, "two")
		conn.Close()
		select {
		case <-deadline:
			t.Fatalf("ssh ran as\n%s", log())
		default:
		}
	}
}

// Check tells a server that forbids to forward ports from one that tries, and from a machine that
// is away. What succeeded is not asked again.
func TestCheck(t *testing.T) {
	for server, want := range map[string]string{
		"": "", "refuses": "forward a port through ssh: the ssh server does not forward ports",
		"away": "forward a port through ssh: exit status 255: ssh: connect to host big2 port 22: No route to host",
	} {
		log := setUp(t, server)
		tun := tunnel.New("--", "big2")
		err := errors.Join(tun.Check(t.Context()), tun.Check(t.Context()))
		asked := strings.Count(log(), "127.0.0.1:1 master=false shared=false")
		switch {
		case want == "" && (err != nil || asked != 1):
			t.Errorf("%q: %v, asked %d times", server, err, asked)
		case want != "" && (err == nil || err.Error() != want+"\n"+want || asked != 2):
			t.Errorf("%q: %v, asked %d times", server, err, asked)
		}
		if server == "refuses" != errors.Is(err, tunnel.ErrRefused) {
			t.Errorf("%q: %v", server, err)
		}
		tun.Close()
	}
	setUp(t, "")
	tun := tunnel.New("--", "big2")
	defer tun.Close()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tun.Check(gone); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
