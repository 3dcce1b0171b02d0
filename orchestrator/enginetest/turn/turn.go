// Package turn lets the packages whose tests start clusters do so one after the other.
//
// `go test ./...` tests several packages at once. Nodes have deadlines, which hold while one package
// starts as many clusters as the processors carry, and not while three do. Such a package takes a
// turn, and so does one with other limits of time. The rest is built and tested meanwhile.
//
//	func TestMain(m *testing.M) {
//		turn.Take()
//		os.Exit(m.Run())
//	}
//
// The turn is a lock on a file, one for each user of the machine. It ends with the process, also if
// that is killed. Processes that it started do not keep it.
package turn

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// taken is the file whose lock is the turn. It stays open until the process ends.
var taken *os.File

// Take waits until no other process has a turn, and takes it until this process ends. Call it once,
// before the first test: then the time of `go test -timeout` begins afterwards.
func Take() { take(syscall.LOCK_EX) }

// Share is Take for a package with two clusters at a time, or less: other packages that share run at
// the same time.
func Share() { take(syscall.LOCK_SH) }

func take(how int) {
	f, err := open(filepath.Join(os.TempDir(), fmt.Sprintf("beamyard-test-%d.lock", os.Getuid())))
	if err == nil {
		err = lock(f, how)
	}
	if err != nil {
		panic(fmt.Errorf("take a turn on the engine: %w", err))
	}
	taken = f
}

// open returns the lock's file. Programs that are started do not inherit it.
func open(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) }

// lock waits, unless how has LOCK_NB.
func lock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); err != syscall.EINTR { //nolint:errorlint // a system call returns it unwrapped
			return err
		}
	}
}
