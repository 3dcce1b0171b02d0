//go:build unix

package orchestrator

import (
	"os"
	"syscall"
)

// signalZero asks whether a process exists (kill(2) with signal 0).
func signalZero(p *os.Process) error { return p.Signal(syscall.Signal(0)) }
