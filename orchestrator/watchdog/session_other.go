//go:build !unix

package watchdog

import "syscall"

// ownSession has nothing to detach from where there are no sessions.
func ownSession() *syscall.SysProcAttr { return nil }
