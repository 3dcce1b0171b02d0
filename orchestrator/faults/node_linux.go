package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxFull bounds the file systems that a fault fills: they are in the machine's memory.
const maxFull = 1 << 30

// enter makes the root folder that of the first process of this process namespace. It needs
// CAP_SYS_PTRACE and CAP_SYS_CHROOT.
func enter() error {
	if err := syscall.Chroot("/proc/1/root"); err != nil {
		return fmt.Errorf("enter the node's files: %w", err)
	}
	return os.Chdir("/")
}

// enterNetwork moves the calling goroutine, for good, to the network namespace of a process, which
// must be of this container. It needs CAP_SYS_ADMIN and CAP_SYS_PTRACE. Source: setns(2).
func enterNetwork(pid int, container string) error {
	runtime.LockOSThread()                             // never unlocked: the thread ends with the goroutine
	proc, err := os.Open(fmt.Sprintf("/proc/%d", pid)) // of this one process, also if its ID is used again
	if err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	defer proc.Close()
	namespace, err := unix.Openat(int(proc.Fd()), "ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0) // a file descriptor is an int
	if err != nil {
		return fmt.Errorf("enter its network: %w", err)
	}
	defer func() { _ = unix.Close(namespace) }() // it was only read
	groups, err := readAt(proc, "cgroup")
	if err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	if !bytes.Contains(groups, []byte(container)) {
		return errGone
	}
	if err := unix.Setns(namespace, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter its network: %w", err)
	}
	return nil
}

func readAt(folder *os.File, name string) ([]byte, error) {
	fd, err := unix.Openat(int(folder.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC, 0) // a file descriptor is an int
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name) // not negative
	defer f.Close()
	return io.ReadAll(f)
}

// fill fills the file system of a folder, which must be one in memory.
func fill(path string) error {
	var about unix.Statfs_t
	if err := unix.Statfs(path, &about); err != nil {
		return err
	}
	switch size := int64(about.Blocks) * about.Bsize; {
	case about.Type != unix.TMPFS_MAGIC:
		return errors.New("it is on the disk of the engine's machine, and that is not filled")
	case size > maxFull:
		return fmt.Errorf("its size is %d MiB, and at most %d MiB are filled", size>>20, maxFull>>20)
	}
	f, err := os.OpenFile(filepath.Join(path, filler), os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil && !errors.Is(err, syscall.ENOSPC) { // no place for a name: it is full
		return err
	} else if err != nil {
		return nil
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		_, err := f.Write(make([]byte, size))
		switch {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			return err
		}
	}
	return nil
}
