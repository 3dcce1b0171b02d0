//go:build !unix

package orchestrator

import "os"

// signalZero: on other systems FindProcess fails for a process that is gone.
func signalZero(*os.Process) error { return nil }
