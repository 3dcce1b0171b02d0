//go:build !unix

package watchdog

import "syscall"

// OwnSession has nothing to detach from where there are no sessions.
func OwnSession() *syscall.SysProcAttr { return nil }
