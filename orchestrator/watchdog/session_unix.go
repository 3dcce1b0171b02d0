//go:build unix

package watchdog

import "syscall"

// ownSession detaches a child from the terminal: setsid(2).
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
