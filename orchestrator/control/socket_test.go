package control

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/google/go-cmp/cmp"
)

func TestListenIsForItsOwnerOnly(t *testing.T) {
	folder := home(t)
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for path, want := range map[string]os.FileMode{folder: 0o700 | os.ModeDir, filepath.Join(folder, "demo.sock"): 0o600 | os.ModeSocket, filepath.Join(folder, "demo.lock"): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
}

func TestOneSupervisorPerCluster(t *testing.T) {
	home(t)
	first, err := Listen(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), "demo"); !errors.Is(err, ErrSupervised) {
		t.Errorf("second Listen = %v", err)
	}
	if other, err := Listen(t.Context(), "other"); err != nil {
		t.Errorf("another cluster: %v", err)
	} else {
		other.Close()
	}
	first.Close()
	if err := first.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closing twice: %v", err)
	}
	third, err := Listen(t.Context(), "demo")
	if err != nil {
		t.Fatalf("after the first one has ended: %v", err)
	}
	third.Close()
}

// One who is about to let go of the name is waited for: it does not answer any more. One who keeps the
// name without answering is given up after a second.
func TestTheLockOfOneThatEndsIsAwaited(t *testing.T) {
	folder := home(t)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]error{500 * time.Millisecond: nil, time.Hour: ErrSupervised} {
		synctest.Test(t, func(t *testing.T) {
			lock, err := acquire(filepath.Join(folder, "demo.lock"))
			if err != nil {
				t.Fatal(err)
			}
			release := sync.OnceFunc((&listener{lock: lock}).unlock)
			defer release()
			defer time.AfterFunc(after, release).Stop()
			began := time.Now()
			l, err := Listen(t.Context(), "demo")
			if !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("let go after %s: %v", after, err)
			}
			if took := time.Since(began); took < 500*time.Millisecond || took > 2*time.Second {
				t.Errorf("let go after %s: Listen took %s", after, took)
			}
			if err == nil {
				l.Close()
			}
		})
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	folder := home(t)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "demo.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false) // as after SIGKILL
	stale.Close()
	if _, err := Dial(t.Context(), "demo"); !errors.Is(err, orchestrator.ErrNoSupervisor) {
		t.Fatalf("Dial of a stale socket = %v", err)
	}
	l, err := Listen(t.Context(), "demo")
	if err != nil {
		t.Fatalf("Listen over a stale socket = %v", err)
	}
	l.Close()
}

func TestTooLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("XDG_STATE_HOME", dir) // the socket of a running demo is in the usual folder
	_, err := Listen(t.Context(), "demo")
	if !strings.Contains(err.Error(), "at most 103") || !strings.Contains(orchestrator.HintOf(err).String(), "XDG_RUNTIME_DIR") {
		t.Errorf("Listen = %v", err)
	}
}

func TestFolders(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		name, runtime, state, home string
		want                       []string
	}{
		{"a login", dir, "", "/home/u", []string{dir + "/beamyard", "/home/u/.local/state/beamyard"}},
		{"no login", "", "", "/home/u", []string{"/home/u/.local/state/beamyard"}},
		{"a folder of the user's choice", "", "/var/s", "/home/u", []string{"/var/s/beamyard"}},
		{"a runtime folder that is gone", dir + "/gone", "/var/s", "", []string{"/var/s/beamyard"}},
		{"relative ones do not count", "run", "state", "/home/u", []string{"/home/u/.local/state/beamyard"}},
		{"no home but a login", dir, "", "", []string{dir + "/beamyard"}},
		{"neither", "", "", "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("XDG_RUNTIME_DIR", tc.runtime)
			t.Setenv("XDG_STATE_HOME", tc.state)
			t.Setenv("HOME", tc.home)
			got, err := folders()
			if (err != nil) != (tc.want == nil) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A supervisor that was started during a login is found without one.
func TestDialLooksInEveryFolder(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	t.Setenv("XDG_RUNTIME_DIR", "")
	l, err := Listen(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	c, err := Dial(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
