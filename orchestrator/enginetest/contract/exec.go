package contract

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// exec runs a command of [enginetest.Script] in a container.
func (s *suite) exec(id string, command ...string) orchestrator.ExecResult {
	s.t.Helper()
	result, err := orchestrator.Command(s.ctx(), s.eng, id, slices.Concat(s.entrypoint, command))
	s.must(err)
	return result
}

func (s *suite) testExec() {
	id := s.create(func(c *orchestrator.ContainerSpec) { c.Env = []string{"GREETING=grüß dich"} }, "wait")
	s.must(s.eng.StartContainer(s.ctx(), id))
	s.waiting(id)
	if r := s.exec(id, "print", "2"); r != (orchestrator.ExecResult{Stdout: "stdout 1\nstdout 2\n", Stderr: "stderr 1\nstderr 2\n"}) {
		s.t.Errorf("print 2: %+v", r)
	}
	if r := s.exec(id, "exit", "7"); r.ExitCode != 7 {
		s.t.Errorf("exit 7: %+v", r)
	}
	if r := s.exec(id, "env", "GREETING"); r.Stdout != "grüß dich\n" {
		s.t.Errorf("its environment: %+v", r)
	}
	if r := s.exec(id, "long", "100000"); r.Stdout != strings.Repeat("x", orchestrator.ExecLimit) || r.ExitCode != 0 {
		s.t.Errorf("100000 bytes: %d of them, exit code %d", len(r.Stdout), r.ExitCode)
	}
	r, err := orchestrator.Command(s.ctx(), s.eng, id, []string{"/no-such-command"})
	if err != nil || (r.ExitCode != 126 && r.ExitCode != 127) {
		s.t.Errorf("a missing command: %+v, %v", r, err)
	}
	if lines := s.output(id); !slices.Equal(lines, []string{"stdout waiting\n"}) {
		s.t.Errorf("the container's own output: %q", lines)
	}
}

func (s *suite) testExecNotRunning() {
	command := slices.Concat(s.entrypoint, []string{"exit", "0"})
	_, err := orchestrator.Command(s.ctx(), s.eng, "no-such-container", command)
	s.is("gone", err, orchestrator.ErrNotFound)
	id := s.create(nil, "wait")
	_, err = orchestrator.Command(s.ctx(), s.eng, id, command)
	s.is("created", err, orchestrator.ErrNotRunning)
	s.must(s.eng.StartContainer(s.ctx(), id))
	s.must(s.eng.KillContainer(s.ctx(), id, "KILL"))
	s.exited(id)
	_, err = orchestrator.Command(s.ctx(), s.eng, id, command)
	s.is("exited", err, orchestrator.ErrNotRunning)
}

func (s *suite) testExecTime() {
	id := s.run("wait")
	s.waiting(id)
	ctx, cancel := context.WithTimeout(s.ctx(), 300*time.Millisecond)
	defer cancel()
	_, err := orchestrator.Command(ctx, s.eng, id, slices.Concat(s.entrypoint, []string{"stubborn"}))
	s.is("exec", err, context.DeadlineExceeded)
	if r := s.exec(id, "exit", "3"); r.ExitCode != 3 { // the container continues to run
		s.t.Errorf("after it: %+v", r)
	}
}
