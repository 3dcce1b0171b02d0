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

// Take waits until no other process has a turn, and takes it until this process ends. Call it once,
// before the first test: then the time of `go test -timeout` begins afterwards.
func Take() { take(syscall.LOCK_EX) }

// Share is Take for a package with two clusters at a time, or less: other packages that share run at
// the same time.
func Share() { take(syscall.LOCK_SH) }

func take(how int) {
	fd, err := open(filepath.Join(os.TempDir(), fmt.Sprintf("beamyard-test-%d.lock", os.Getuid())))
	if err == nil {
		err = lock(fd, how)
	}
	if err != nil {
		panic(fmt.Errorf("take a turn on the engine: %w", err))
	}
}

// open opens the lock's file until it is closed by syscall.Close, or the process ends: an os.File would
// be closed when the garbage collector finds it. Programs that are started do not inherit it.
func open(path string) (fd int, err error) {
	return syscall.Open(path, syscall.O_RDWR|syscall.O_CREAT|syscall.O_CLOEXEC, 0o600)
}

// lock waits, unless how has LOCK_NB.
func lock(fd, how int) error {
	for {
		if err := syscall.Flock(fd, how); err != syscall.EINTR {
			return err
		}
	}
}
