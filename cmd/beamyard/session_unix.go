//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// ownSession detaches a child from the terminal: setsid(2).
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// notifyResize tells of each new size of the terminal: tty_ioctl(4).
func notifyResize(c chan<- os.Signal) { signal.Notify(c, syscall.SIGWINCH) }
