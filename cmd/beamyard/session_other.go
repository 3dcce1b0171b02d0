//go:build !unix

package main

import (
	"os"
	"syscall"
)

// ownSession has nothing to detach from where there are no sessions.
func ownSession() *syscall.SysProcAttr { return nil }

// notifyResize knows of no signal for a new size.
func notifyResize(chan<- os.Signal) {}
