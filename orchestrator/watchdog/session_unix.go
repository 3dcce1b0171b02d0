//go:build unix

package watchdog

import "syscall"

// OwnSession detaches a child from the terminal: setsid(2).
func OwnSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
