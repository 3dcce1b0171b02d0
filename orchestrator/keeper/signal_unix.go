//go:build unix

package keeper

import (
	"os"
	"syscall"
)

// signalZero checks whether a process exists (kill(2) with signal 0).
func signalZero(p *os.Process) error { return p.Signal(syscall.Signal(0)) }
