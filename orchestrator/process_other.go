//go:build !unix

package orchestrator

import "os"

// signalZero: on other systems FindProcess fails for a process that is gone.
func signalZero(*os.Process) error { return nil }

// hardNoFile: other systems have no such limit.
func hardNoFile() (int64, bool) { return 0, false }
