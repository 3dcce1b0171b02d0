//go:build !unix

package orchestrator

import "os"

// signalZero always succeeds: on other systems FindProcess fails for a process that is
// gone.
func signalZero(*os.Process) error { return nil }

// hardNoFile reports no limit: other systems have none.
func hardNoFile() (int64, bool) { return 0, false }
