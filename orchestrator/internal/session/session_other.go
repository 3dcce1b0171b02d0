//go:build !unix

package session

import "syscall"

// Own has nothing to detach from where there are no sessions.
func Own() *syscall.SysProcAttr { return nil }
