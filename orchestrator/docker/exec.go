package docker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/beamyard/beamyard/orchestrator"
)

const (
	// execMark is in the environment of a command and of all that it starts.
	execMark = "BEAMYARD_EXEC"
	// execPoll is how often the engine is asked for an exit code: the stream
	// ends some milliseconds before it is noted.
	execPoll = 5 * time.Millisecond
	// execEnd bounds what is done about a command whose time is over.
	execEnd = 5 * time.Second
	// execLate is how long a command whose start was given up may still start.
	execLate = 500 * time.Millisecond
)

// killMarked kills every process that has the mark $0 in its environment, and
// looks again, as one may have started another meanwhile. It has no mark itself.
const killMarked = `for turn in 1 2 3 4 5; do
  found=
  for file in $(grep -ls -- "$0" /proc/[0-9]*/environ); do
    pid=${file#/proc/}; kill -9 "${pid%/environ}" 2>/dev/null; found=yes
  done
  [ -z "$found" ] && exit 0
done`

// Exec implements orchestrator.Containers.
//
// An engine leaves a command running whose caller has gone (moby#29700) and has
// no call to end it: the process ID that it tells is the host's. So the command
// carries a mark, by which a second one finds and kills it.
func (e *Engine) Exec(ctx context.Context, id string, command []string) (orchestrator.ExecResult, error) {
	doing := "exec in " + short(id)
	mark := execMark + "=" + rand.Text()
	created, err := e.cli.ContainerExecCreate(ctx, id, container.ExecOptions{
		Cmd: command, Env: []string{mark}, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return orchestrator.ExecResult{}, e.failed(doing, err)
	}
	result, err := e.attach(ctx, doing, created.ID)
	if ctx.Err() != nil {
		return orchestrator.ExecResult{}, errors.Join(ctx.Err(), e.endExec(context.WithoutCancel(ctx), id, created.ID, mark))
	}
	return result, err
}

// attach starts a command and reads it to its end.
func (e *Engine) attach(ctx context.Context, doing, exec string) (orchestrator.ExecResult, error) {
	var stdout, stderr orchestrator.ExecOutput
	stream, err := e.cli.ContainerExecAttach(ctx, exec, container.ExecAttachOptions{})
	if err = e.failed(doing, err); errors.Is(err, orchestrator.ErrCannotStart) {
		return orchestrator.ExecResult{ExitCode: 127, Stderr: err.Error()}, nil
	} else if err != nil {
		return orchestrator.ExecResult{}, err
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, func() { closeNow(stream) })()
	if _, err := stdcopy.StdCopy(&stdout, &stderr, stream.Reader); err != nil {
		return orchestrator.ExecResult{}, fmt.Errorf("%s: the stream broke: %w", doing, err)
	}
	for {
		state, err := e.cli.ContainerExecInspect(ctx, exec)
		if err != nil {
			return orchestrator.ExecResult{}, e.failed(doing, err)
		}
		if !state.Running {
			return orchestrator.ExecResult{ExitCode: state.ExitCode, Stdout: stdout.String(), Stderr: stderr.String()}, nil
		}
		if !pause(ctx, execPoll) {
			return orchestrator.ExecResult{}, ctx.Err()
		}
	}
}

// closeNow ends a read that is under way.
func closeNow(stream types.HijackedResponse) { _ = stream.Conn.Close() }

// endExec kills what a command has started, and the command. The engine may
// start one a moment after its caller has given up.
func (e *Engine) endExec(ctx context.Context, id, exec, mark string) error {
	ctx, cancel := context.WithTimeout(ctx, execEnd)
	defer cancel()
	for late := time.Now().Add(execLate); ; {
		state, err := e.cli.ContainerExecInspect(ctx, exec)
		if err != nil {
			if err = e.failed("end a command", err); errors.Is(err, orchestrator.ErrNotFound) {
				return nil // its container is gone
			}
			return err
		}
		switch started := state.Running || state.Pid != 0; {
		case started:
			if err := e.kill(ctx, id, mark); err != nil {
				return err
			}
			if !state.Running {
				return nil
			}
		case time.Now().After(late):
			return nil
		}
		if !pause(ctx, 4*execPoll) {
			return fmt.Errorf("end a command in %s: %w", short(id), ctx.Err())
		}
	}
}

func (e *Engine) kill(ctx context.Context, id, mark string) error {
	created, err := e.cli.ContainerExecCreate(ctx, id, container.ExecOptions{
		Cmd: []string{"sh", "-c", killMarked, mark}, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		if err = e.failed("end a command", err); errors.Is(err, orchestrator.ErrNotFound) || errors.Is(err, orchestrator.ErrNotRunning) {
			return nil // with its container
		}
		return err
	}
	result, err := e.attach(ctx, "end a command in "+short(id), created.ID)
	if err == nil && result.ExitCode != 0 {
		err = fmt.Errorf("end a command in %s: exit code %d: %s%s", short(id), result.ExitCode, result.Stdout, result.Stderr)
	}
	return err
}

// pause waits, or says that ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
