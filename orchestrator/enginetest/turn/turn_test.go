package turn

import (
	"errors"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

const (
	taking  = syscall.LOCK_EX | syscall.LOCK_NB
	sharing = syscall.LOCK_SH | syscall.LOCK_NB
)

// The second waits until the first has ended, even if a process that the first started goes on. Only
// two that share do not wait.
func TestWhoWaits(t *testing.T) {
	for _, tt := range []struct {
		name          string
		first, second int
		waits         bool
	}{
		{"take, take", taking, taking, true},
		{"take, share", taking, sharing, true},
		{"share, take", sharing, taking, true},
		{"share, share", sharing, sharing, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lock")
			first, second := mustOpen(t, path), mustOpen(t, path)
			t.Cleanup(func() { _ = syscall.Close(second) }) // nothing was written
			if err := lock(first, tt.first); err != nil {
				t.Fatal(err)
			}
			started := exec.Command("sleep", "600")
			if err := started.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = started.Process.Kill()
				_ = started.Wait() // killed
			})
			if err := lock(second, tt.second); errors.Is(err, syscall.EWOULDBLOCK) != tt.waits {
				t.Errorf("beside the first: %v", err)
			}
			if err := syscall.Close(first); err != nil {
				t.Fatal(err)
			}
			if err := lock(second, tt.second); err != nil {
				t.Errorf("after the first: %v", err)
			}
		})
	}
}

func mustOpen(t *testing.T, path string) (fd int) {
	t.Helper()
	fd, err := open(path)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}
