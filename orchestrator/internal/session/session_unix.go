//go:build unix

package session

import "syscall"

// Own detaches a child from the terminal: setsid(2).
func Own() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
