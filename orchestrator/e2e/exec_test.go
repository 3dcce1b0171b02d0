package e2e_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// moby#29700: if the caller of a command stops waiting, the engine leaves the command
// running, and what the command started.
func commandThatIsNotWaitedFor(t *testing.T, r *running) {
	eng := r.eng
	id := r.node("n1").ContainerID
	exec := func(script string) orchestrator.ExecResult {
		t.Helper()
		result, err := orchestrator.Command(t.Context(), eng, id, []string{"sh", "-c", script})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	const sleepers = "grep -lsxzE '730[123]' /proc/[0-9]*/cmdline | wc -l" // arguments end with a NUL byte
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := orchestrator.Command(ctx, eng, id, []string{"sh", "-c", "sleep 7301 & setsid sleep 7302 & sleep 7303"})
		ended <- err
	}()
	eventually(t, "three processes sleep", func() bool { return strings.TrimSpace(exec(sleepers).Stdout) == "3" })
	cancel()
	began := time.Now()
	if err := <-ended; !errors.Is(err, context.Canceled) || err.Error() != context.Canceled.Error() {
		t.Errorf("the command: %v", err)
	}
	t.Logf("ended within %s", time.Since(began))
	if left := exec(sleepers); strings.TrimSpace(left.Stdout) != "0" {
		t.Errorf("left behind: %+v", left)
	}
	if result := exec("no-such-command"); result.ExitCode != 127 || result.Stderr == "" {
		t.Errorf("a command that sh cannot find: %+v", result)
	}
	if result := exec("exec >/dev/null 2>&1; sleep 0.3; exit 3"); result.ExitCode != 3 {
		t.Errorf("a command that closes its output: %+v", result)
	}
	// A signal that arrives before the command runs is not lost.
	early := make(chan string, 1)
	early <- "TERM"
	code, err := eng.Exec(t.Context(), id, orchestrator.ExecSpec{Command: []string{"sleep", "7301"}, Signals: early})
	if code != 128+15 || err != nil {
		t.Errorf("an early signal: exit code %d, %v", code, err)
	}
	if err := eng.PauseContainer(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	_, err = orchestrator.Command(t.Context(), eng, id, []string{"true"})
	if unpause := eng.UnpauseContainer(t.Context(), id); unpause != nil {
		t.Fatal(unpause)
	}
	if !errors.Is(err, orchestrator.ErrNotRunning) {
		t.Errorf("paused: %v", err)
	}
}
