package enginetest

import (
	"bytes"
	"context"
	"io"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// Program is the program of a container: it prints, waits, and returns its exit code. Its
// context ends when the container is killed.
type Program func(ctx context.Context, p *Process) (exitCode int)

// UntilStopped runs until TERM and exits with 0, as a BEAM does.
func UntilStopped(ctx context.Context, p *Process) int {
	for {
		select {
		case s := <-p.Signals:
			if s == "TERM" {
				return 0
			}
		case <-ctx.Done():
			return 137
		}
	}
}

// Process is one run of a container.
type Process struct {
	Spec    orchestrator.ContainerSpec
	Run     int // 1 for the first start
	Stdin   io.Reader
	TTY     *orchestrator.TTY // of a command; nil without a terminal
	Stdout  io.Writer
	Stderr  io.Writer
	Signals <-chan string // "TERM", "USR1", …, but never "KILL"

	stdin   *io.PipeWriter
	signals chan string
	cancel  context.CancelFunc
	done    chan struct{} // closed when the container has exited
	out     [2]*printer
}

func (p *Process) send(signal string) {
	select {
	case p.signals <- signal:
	default: // as for a signal that is already pending
	}
}

// sees reports whether the process with this ID is in the process namespace of this one.
func (p *Process) sees(pid int) bool {
	e := p.out[0].e
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.containers {
		if c.state.Running && c.state.PID == pid {
			return p.Spec.HostPID
		}
	}
	return false
}

// run starts a container's program. The caller holds the lock.
func (e *Engine) run(c *container, program Program) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Process{
		Spec: c.spec, Run: c.runs, signals: make(chan string, 16), cancel: cancel, done: make(chan struct{}),
		out: [2]*printer{{e: e, c: c, stream: 1}, {e: e, c: c, stream: 2}},
	}
	if of := e.containers[c.spec.NetworkOf]; of != nil {
		p.Spec.Hostname = of.spec.Hostname
	}
	p.Signals, p.Stdout, p.Stderr, p.Stdin = p.signals, p.out[0], p.out[1], strings.NewReader("")
	if c.spec.Stdin {
		p.Stdin, p.stdin = io.Pipe()
	}
	c.process = p
	go func() {
		code := program(ctx, p)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.exited(c, p, code)
	}()
}

// exited ends a run, once: a program that returns after it was killed changes nothing.
// The caller holds the lock.
func (e *Engine) exited(c *container, p *Process, code int) {
	if c.process != p || !c.state.Running {
		return
	}
	for _, out := range p.out {
		out.flush()
	}
	p.cancel()
	c.state.Status, c.state.Running, c.state.Paused, c.state.PID = "exited", false, false, 0
	c.state.ExitCode, c.state.FinishedAt = code, e.now()
	e.emit(c, "die", func(ev *orchestrator.ContainerEvent) { ev.ExitCode = code })
	c.wake()
	if p.stdin != nil {
		_ = p.stdin.Close() // never fails
	}
	close(p.done)
	for _, other := range e.containers {
		if other.spec.PIDOf == c.id && other.state.Running {
			e.exited(other, other.process, 137)
		}
	}
}

// maxFrame is how much of a line the engine stores in one piece.
const maxFrame = 16 << 10

// record is one piece of a log.
type record struct {
	at     time.Time
	stream byte
	text   []byte
}

// printer is one of a process's streams. It splits what is written into records, as the
// engine's copier does.
type printer struct {
	e       *Engine
	c       *container
	stream  byte
	pending []byte
}

func (w *printer) Write(b []byte) (int, error) {
	w.e.mu.Lock()
	defer w.e.mu.Unlock()
	if w.c.process == nil || w != w.c.process.out[w.stream-1] || !w.c.state.Running {
		return 0, io.ErrClosedPipe
	}
	w.pending = append(w.pending, b...)
	for {
		end := bytes.IndexByte(w.pending, '\n') + 1
		if end == 0 || end > maxFrame {
			if len(w.pending) < maxFrame {
				return len(b), nil
			}
			end = maxFrame
		}
		w.keep(w.pending[:end])
		w.pending = w.pending[end:]
	}
}

// flush keeps text without a newline. The caller holds the lock.
func (w *printer) flush() {
	if len(w.pending) > 0 {
		w.keep(w.pending)
		w.pending = nil
	}
}

func (w *printer) keep(text []byte) {
	w.c.log = append(w.c.log, record{w.e.now(), w.stream, bytes.Clone(text)})
	w.c.wake()
}

// wake notifies followers of the log that there is more, or no more. The caller holds the
// lock.
func (c *container) wake() {
	close(c.more)
	c.more = make(chan struct{})
}
