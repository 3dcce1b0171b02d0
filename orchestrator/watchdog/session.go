package watchdog

import (
	"syscall"

	"github.com/beamyard/beamyard/orchestrator/internal/session"
)

// OwnSession detaches a child from the terminal: setsid(2). It is nil where there are no sessions.
func OwnSession() *syscall.SysProcAttr { return session.Own() }
