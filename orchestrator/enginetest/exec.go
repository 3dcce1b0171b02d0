package enginetest

import (
	"context"
	"fmt"

	"github.com/beamyard/beamyard/orchestrator"
)

// Exec implements orchestrator.Containers: it runs [Engine.Command].
func (e *Engine) Exec(ctx context.Context, id string, command []string) (orchestrator.ExecResult, error) {
	if err := e.fails("Exec"); err != nil {
		return orchestrator.ExecResult{}, err
	}
	p, err := e.execIn(id, command)
	if err != nil {
		return orchestrator.ExecResult{}, err
	}
	if e.Command == nil {
		return orchestrator.ExecResult{ExitCode: 127, Stderr: fmt.Sprintf("exec: %q: executable file not found", command)}, nil
	}
	running, kill := context.WithCancel(ctx)
	defer kill()
	var stdout, stderr orchestrator.ExecOutput
	p.Stdout, p.Stderr = &stdout, &stderr
	ended := make(chan int, 1)
	go func() { ended <- e.Command(running, p) }()
	select {
	case code := <-ended:
		if ctx.Err() == nil {
			return orchestrator.ExecResult{ExitCode: code, Stdout: stdout.String(), Stderr: stderr.String()}, nil
		}
		return orchestrator.ExecResult{}, ctx.Err()
	case <-p.done: // the container has ended, and everything in it
		return orchestrator.ExecResult{ExitCode: 137}, nil
	case <-ctx.Done():
		return orchestrator.ExecResult{}, ctx.Err()
	}
}

// execIn makes the process of a command in a container's present run.
func (e *Engine) execIn(id string, command []string) (*Process, error) {
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
		Spec: c.spec, Run: c.runs, signals: make(chan string), done: c.process.done,
		out: [2]*printer{{e: e, c: c, stream: 1}, {e: e, c: c, stream: 2}}, // for its files
	}
	p.Spec.Entrypoint, p.Spec.Command, p.Signals = nil, command, p.signals
	return p, nil
}
