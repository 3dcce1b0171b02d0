package docker

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

const (
	// execMark is in the environment of a command and of every process that it starts.
	execMark = "BEAMYARD_EXEC"
	// execPoll is the interval at which the engine is asked for an exit code: the stream ends
	// some milliseconds before the engine records it.
	execPoll = 5 * time.Millisecond
	// execPollSlow is the interval for a command that has closed its output and continues.
	execPollSlow = 500 * time.Millisecond
	// execEnd limits the attempt to end a command that was cancelled.
	execEnd = 5 * time.Second
	// execEnded limits the wait for the end of a container in which a command was killed: a
	// busy engine reports that end a second later.
	execEnded = 3 * time.Second
	// execLate is how long after its cancellation a command may still start.
	execLate = 500 * time.Millisecond
)

// detachKeys is a key sequence that users do not type, so that a command on a terminal gets all
// keys. An engine cannot turn detaching off. Its default is Ctrl-P, Ctrl-Q: Ctrl-P means
// "previous line" in IEx, and the engine holds it back until the next key. Holding Ctrl-@ back
// has no visible effect: it sets a mark. Source: POST /containers/{id}/exec, DetachKeys.
const detachKeys = "ctrl-@,ctrl-],ctrl-@,ctrl-]"

// Exec implements orchestrator.Streams.
//
// An engine leaves a command running after its client has disconnected (moby#29700), and
// has no call to end it: the process ID that it reports is the host's. So the command is
// marked, and a second command finds it by the mark and kills it.
func (e *Engine) Exec(ctx context.Context, id string, spec orchestrator.ExecSpec) (int, error) {
	x := &execution{e: e, doing: "exec in " + short(id), container: id, user: spec.User, mark: execMark + "=" + rand.Text()}
	before, err := e.InspectContainer(ctx, id)
	if err != nil {
		return 0, err
	}
	if err := x.create(ctx, spec); err != nil {
		return 0, err
	}
	code, err := x.run(ctx, spec)
	var unwritten *writeError
	switch {
	case ctx.Err() != nil:
		return 0, errors.Join(ctx.Err(), x.end(context.WithoutCancel(ctx)))
	case errors.As(err, &unwritten):
		return 0, errors.Join(unwritten.err, x.end(context.WithoutCancel(ctx)))
	case (err != nil && !errors.Is(err, orchestrator.ErrCannotStart) || code == killed) && e.ranOut(ctx, before):
		return 0, fmt.Errorf("%s: the container ended: %w", x.doing, orchestrator.ErrNotRunning)
	}
	return code, err
}

// killed is the exit code after SIGKILL, which also ends the processes of a container that
// ends.
const killed = 137

// ranOut reports whether the container's run in which a command was started has ended. The
// engine notices the end of the first process a moment after that of the others.
func (e *Engine) ranOut(ctx context.Context, before orchestrator.Container) bool {
	for late := time.Now().Add(execEnded); ; {
		now, err := e.InspectContainer(ctx, before.ID)
		switch {
		case errors.Is(err, orchestrator.ErrNotFound):
			return true
		case err != nil:
			return false
		case !now.State.Running || !now.State.StartedAt.Equal(before.State.StartedAt):
			return true
		}
		if time.Now().After(late) || !wait.Sleep(ctx, 4*execPoll) {
			return false
		}
	}
}

// execution is one command.
type execution struct {
	e         *Engine
	doing     string
	container string
	user      string
	mark      string // in its environment; "" if it never has to be ended
	id        string
}

func (x *execution) create(ctx context.Context, spec orchestrator.ExecSpec) error {
	env := slices.Clone(spec.Env)
	if x.mark != "" {
		env = append(env, x.mark)
	}
	options := container.ExecOptions{
		Cmd: spec.Command, Env: env, User: spec.User, WorkingDir: spec.Dir,
		AttachStdin: spec.Stdin != nil, AttachStdout: true, AttachStderr: true,
		Tty: spec.TTY != nil, ConsoleSize: consoleSize(spec.TTY),
	}
	if options.Tty {
		options.DetachKeys = detachKeys // the start has no such option and uses these
	}
	created, err := x.e.cli.ContainerExecCreate(ctx, x.container, options)
	x.id = created.ID
	return x.e.failed(x.doing, err)
}

// run starts the command and serves it until it ends.
func (x *execution) run(ctx context.Context, spec orchestrator.ExecSpec) (int, error) {
	stream, err := x.e.cli.ContainerExecAttach(ctx, x.id, container.ExecAttachOptions{Tty: spec.TTY != nil, ConsoleSize: consoleSize(spec.TTY)})
	if err != nil {
		return cannotRun(x.e.failed(x.doing, err))
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, func() { closeNow(stream) })()

	serving, served := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer served()
	if spec.TTY != nil {
		helpers.Go(func() { x.resize(serving, *spec.TTY) })
	}
	if spec.Signals != nil {
		helpers.Go(func() { x.pass(serving, spec.Signals) })
	}
	if spec.Stdin != nil {
		go send(stream, spec) // not waited for: a Read may block forever
	}
	stdout := &output{w: spec.Stdout}
	stderr := &output{w: spec.Stderr}
	if err := receive(stream, spec.TTY != nil, stdout, stderr); err != nil {
		return 0, fmt.Errorf("%s: the stream broke: %w", x.doing, err)
	}
	code, err := x.exitCode(ctx)
	if text := stdout.held + stderr.held; text != "" && err == nil && (code == notExecutable || code == missing) {
		_, short, _ := strings.Cut(text, "container process: ")
		text = strings.TrimSuffix(strings.TrimSpace(cmp.Or(short, text)), ": unknown")
		return cannotRun(x.e.failed(x.doing, errors.New(text), signature{"", orchestrator.ErrCannotStart, nil}))
	}
	return code, errors.Join(err, stdout.flush(), stderr.flush())
}

// Exit codes of commands that cannot run, as in shells. Source: POSIX, "Exit Status for
// Commands".
const (
	notExecutable = 126
	missing       = 127
)

// cannotRun adds the exit code to an error of a start.
func cannotRun(err error) (int, error) {
	switch {
	case !errors.Is(err, orchestrator.ErrCannotStart):
		return 0, err
	case strings.Contains(err.Error(), "not found") || strings.Contains(err.Error(), "no such file"):
		return missing, err
	}
	return notExecutable, err
}

// send passes the input to a command, and then its end. On a terminal that is Ctrl-D, because a
// command whose terminal was closed no longer gets its size. On an incomplete line the first
// Ctrl-D passes that line on, and a second one is the end. An input that cannot be read counts
// as ended.
func send(stream types.HijackedResponse, spec orchestrator.ExecSpec) {
	in := &lastByte{spec.Stdin, '\n'}
	_, _ = io.Copy(stream.Conn, in) // fails if the command has ended
	if spec.TTY != nil {
		end := []byte{endOfTransmission}
		if in.last != '\n' && in.last != '\r' { // a terminal converts one to the other: ICRNL
			end = append(end, endOfTransmission)
		}
		_, _ = stream.Conn.Write(end)
		return
	}
	_ = stream.CloseWrite()
}

// lastByte remembers the last byte that was read, initially a newline.
type lastByte struct {
	io.Reader
	last byte
}

func (r *lastByte) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if n > 0 {
		r.last = b[n-1]
	}
	return n, err
}

// endOfTransmission is the character VEOF of a terminal. Source: termios(3).
const endOfTransmission = 0x04

// receive copies a command's output until it ends.
func receive(stream types.HijackedResponse, tty bool, stdout, stderr io.Writer) (err error) {
	if tty { // raw
		_, err = io.Copy(stdout, stream.Reader)
	} else {
		_, err = stdcopy.StdCopy(stdout, stderr, stream.Reader)
	}
	return err
}

// exitCode waits for the exit code, which the engine records a moment after the end of the
// stream. A command may also close its output and continue.
func (x *execution) exitCode(ctx context.Context) (int, error) {
	for delay := execPoll; ; delay = min(2*delay, execPollSlow) {
		state, err := x.e.cli.ContainerExecInspect(ctx, x.id)
		if err != nil {
			return 0, x.e.failed(x.doing, err)
		}
		if !state.Running {
			return state.ExitCode, nil
		}
		if !wait.Sleep(ctx, delay) {
			return 0, ctx.Err()
		}
	}
}

// resize sets the terminal's size, and each new one. Engines before API 1.42 do not accept a
// size at the start, and lose one that arrives before the command has a process (containerd
// reports success). A refused size is not an error: the command keeps its previous one.
func (x *execution) resize(ctx context.Context, tty orchestrator.TTY) {
	if !x.started(ctx) {
		return
	}
	for size, more := tty.Size, true; more; {
		_ = x.e.cli.ContainerExecResize(ctx, x.id, container.ResizeOptions{Width: size.Columns, Height: size.Rows})
		select {
		case size, more = <-tty.Resizes:
		case <-ctx.Done():
			return
		}
	}
}

// started waits for the command's process. It returns false if there will be none.
func (x *execution) started(ctx context.Context) bool {
	for {
		state, err := x.e.cli.ContainerExecInspect(ctx, x.id)
		if err != nil || state.Pid != 0 {
			return err == nil
		}
		if !wait.Sleep(ctx, execPoll) {
			return false
		}
	}
}

func consoleSize(tty *orchestrator.TTY) *[2]uint {
	if tty == nil {
		return nil
	}
	return &[2]uint{tty.Size.Rows, tty.Size.Columns}
}

// closeNow ends a read in progress.
func closeNow(stream types.HijackedResponse) { _ = stream.Conn.Close() }
