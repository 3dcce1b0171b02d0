//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyResize reports each new size of the terminal: tty_ioctl(4).
func notifyResize(c chan<- os.Signal) { signal.Notify(c, syscall.SIGWINCH) }
