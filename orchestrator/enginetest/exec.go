package enginetest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/beamyard/beamyard/orchestrator"
)

// Exec implements orchestrator.Streams: it runs [Engine.Command].
func (e *Engine) Exec(ctx context.Context, id string, spec orchestrator.ExecSpec) (int, error) {
	if err := e.fails("Exec"); err != nil {
		return 0, err
	}
	p, err := e.execIn(id, spec)
	if err != nil {
		return 0, err
	}
	if e.Command == nil {
		return 127, fmt.Errorf("exec: %q: executable file not found: %w", spec.Command, orchestrator.ErrCannotStart)
	}
	running, kill := context.WithCancel(ctx)
	defer kill()
	stdout := &connected{w: spec.Stdout, kill: kill}
	stderr := &connected{w: spec.Stderr, kill: kill}
	p.Stdout, p.Stderr = stdout, stderr
	if spec.TTY != nil {
		p.Stderr = stdout
	}
	if spec.Signals != nil {
		go func() {
			for {
				select {
				case name := <-spec.Signals:
					p.send(name)
				case <-running.Done():
					return
				}
			}
		}()
	}
	ended := make(chan int, 1)
	go func() { ended <- e.Command(running, p) }()
	select {
	case code := <-ended:
		if err := cmp.Or(stdout.failed(), stderr.failed()); err != nil {
			return 0, err
		}
		return code, ctx.Err()
	case <-p.done: // the container has ended, with everything in it
		return 0, fmt.Errorf("exec: the container ended: %w", orchestrator.ErrNotRunning)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// connected is the output of a command. If it cannot be written, the command is killed.
type connected struct {
	mu   sync.Mutex
	w    io.Writer
	kill func()
	err  error
}

func (c *connected) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.w == nil {
		return len(b), nil
	}
	n, err := c.w.Write(b)
	if err != nil {
		c.err = fmt.Errorf("write the command's output: %w", err)
		c.kill()
	}
	return n, err
}

func (c *connected) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// AttachStdin implements orchestrator.Streams.
func (e *Engine) AttachStdin(ctx context.Context, id string, in io.Reader) error {
	if err := e.fails("AttachStdin"); err != nil {
		return err
	}
	p, err := e.attached(id)
	if err != nil {
		return err
	}
	taken := make(chan error, 1)
	go func() {
		_, err := io.Copy(p.stdin, in)
		taken <- err
	}()
	select {
	case err := <-taken:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attached returns the process whose standard input is open.
func (e *Engine) attached(id string) (*Process, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(id)
	switch {
	case err != nil:
		return nil, err
	case !c.state.Running:
		return nil, fmt.Errorf("write to %s: %w", c.spec.Name, orchestrator.ErrNotRunning)
	case !c.spec.Stdin:
		return nil, fmt.Errorf("write to %s: %w", c.spec.Name, orchestrator.ErrNoStdin)
	}
	return c.process, nil
}

// execIn creates the process of a command in a container's present run.
func (e *Engine) execIn(id string, spec orchestrator.ExecSpec) (*Process, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return nil, err
	}
	if !c.state.Running || c.state.Paused {
		return nil, fmt.Errorf("exec in %s: it is %s: %w", c.spec.Name, c.state.Status, orchestrator.ErrNotRunning)
	}
	p := &Process{
		Spec: c.spec, Run: c.runs, TTY: spec.TTY, Stdin: spec.Stdin, signals: make(chan string, 16), done: c.process.done,
		out: [2]*printer{{e: e, c: c, stream: 1}, {e: e, c: c, stream: 2}}, // for its files
	}
	p.Spec.Entrypoint, p.Spec.Command, p.Signals = nil, spec.Command, p.signals
	p.Spec.Env = slices.Concat(spec.Env, c.spec.Env) // the first is found
	p.Spec.User, p.Spec.WorkingDir = cmp.Or(spec.User, c.spec.User), cmp.Or(spec.Dir, c.spec.WorkingDir, "/")
	if p.Stdin == nil {
		p.Stdin = strings.NewReader("")
	}
	return p, nil
}
