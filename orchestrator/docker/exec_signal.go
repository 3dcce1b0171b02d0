package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// This file signals the processes of a command in a container by means of a second command,
// because an engine has no call for it.

// signalMarked sends the signal $1 to every process that has the mark $0 in its environment.
// After KILL it searches again, because a process may have started another one before it died.
// It does not have the mark itself.
const signalMarked = `for turn in 1 2 3 4 5; do
  found=
  for file in $(grep -ls -- "$0" /proc/[0-9]*/environ); do
    pid=${file#/proc/}; kill -s "$1" "${pid%/environ}" 2>/dev/null; found=yes
  done
  { [ -z "$found" ] || [ "$1" != KILL ]; } && exit 0
done`

// pass forwards signals. A signal that arrives before the command has a process waits for it. A
// signal that cannot be sent is lost: the command has ended, or its container does not respond.
func (x *execution) pass(ctx context.Context, signals <-chan string) {
	for {
		select {
		case name, more := <-signals:
			if !more {
				return
			}
			if x.started(ctx) {
				_ = x.signal(ctx, name)
			}
		case <-ctx.Done():
			return
		}
	}
}

// end kills a command and every process that it has started. The engine may start the command a
// moment after its caller has cancelled it.
func (x *execution) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, execEnd)
	defer cancel()
	for late := time.Now().Add(execLate); ; {
		state, err := x.e.cli.ContainerExecInspect(ctx, x.id)
		if err != nil {
			if err = x.e.failed("end a command", err); errors.Is(err, orchestrator.ErrNotFound) {
				return nil // its container is gone
			}
			return err
		}
		switch started := state.Running || state.Pid != 0; {
		case started:
			if err := x.signal(ctx, "KILL"); err != nil {
				return err
			}
			if !state.Running {
				return nil
			}
		case time.Now().After(late):
			return nil
		}
		if !wait.Sleep(ctx, 4*execPoll) {
			return fmt.Errorf("end a command in %s: %w", short(x.container), ctx.Err())
		}
	}
}

// signal sends a signal to the processes of the command. It runs as the command's user, because
// the environment of another user's process is not readable, not even for root
// (CAP_SYS_PTRACE).
func (x *execution) signal(ctx context.Context, name string) error {
	var out orchestrator.ExecOutput
	spec := orchestrator.ExecSpec{Command: []string{"sh", "-c", signalMarked, x.mark, name}, User: x.user, Stdout: &out, Stderr: &out}
	y := &execution{e: x.e, doing: "end a command in " + short(x.container), container: x.container, user: x.user}
	if err := y.create(ctx, spec); err != nil {
		if errors.Is(err, orchestrator.ErrNotFound) || errors.Is(err, orchestrator.ErrNotRunning) {
			return nil // it ended with its container
		}
		return err
	}
	code, err := y.run(ctx, spec)
	if errors.Is(err, orchestrator.ErrCannotStart) {
		return fmt.Errorf("it may run on: %s", err) //nolint:errorlint // it is not the command that cannot start
	}
	if err == nil && code != 0 {
		if c, _ := x.e.InspectContainer(ctx, x.container); !c.State.Running {
			return nil // the container has just ended
		}
		err = fmt.Errorf("%s: exit code %d: %s", y.doing, code, out.String())
	}
	return err
}
