//go:build unix

package watchdog

import (
	"os/exec"
	"syscall"
)

// ownSession keeps the terminal's signals and its hang-up away.
func ownSession(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
}
