//go:build !unix

package main

import "syscall"

// ownSession has nothing to detach from where there are no sessions.
func ownSession() *syscall.SysProcAttr { return nil }
