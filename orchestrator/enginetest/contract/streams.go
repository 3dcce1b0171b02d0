package contract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// stream runs a command of [enginetest.Script] with its streams connected.
func (s *suite) stream(ctx context.Context, id string, spec orchestrator.ExecSpec, command ...string) (int, error) {
	spec.Command = slices.Concat(s.entrypoint, command)
	return s.eng.Exec(ctx, id, spec)
}

func (s *suite) testStreams() {
	id := s.create(func(c *orchestrator.ContainerSpec) { c.Env = []string{"GREETING=hello"} }, "wait")
	s.must(s.eng.StartContainer(s.ctx(), id))
	s.waiting(id)
	for _, tc := range []struct {
		spec    orchestrator.ExecSpec
		command []string
		stdout  string
		stderr  string
		code    int
	}{
		{command: []string{"print", "1"}, stdout: "stdout 1\n", stderr: "stderr 1\n"},
		{command: []string{"exit", "9"}, code: 9},
		{orchestrator.ExecSpec{Stdin: strings.NewReader("one\ntwo")}, []string{"echo"}, "one\ntwo", "", 0},
		{command: []string{"echo"}}, // no input: it is at its end
		{command: []string{"env", "GREETING"}, stdout: "hello\n"},
		{orchestrator.ExecSpec{Env: []string{"GREETING=grüß dich"}}, []string{"env", "GREETING"}, "grüß dich\n", "", 0},
		{command: []string{"where"}, stdout: "0 /\n"},
		{orchestrator.ExecSpec{User: "1234", Dir: "/proc"}, []string{"where"}, "1234 /proc\n", "", 0},
	} {
		var stdout, stderr bytes.Buffer
		tc.spec.Stdout, tc.spec.Stderr = &stdout, &stderr
		code, err := s.stream(s.ctx(), id, tc.spec, tc.command...)
		if code != tc.code || err != nil || stdout.String() != tc.stdout || stderr.String() != tc.stderr {
			s.t.Errorf("%v: exit code %d, %v, %q, %q", tc.command, code, err, stdout.String(), stderr.String())
		}
	}
	if code, err := s.stream(s.ctx(), id, orchestrator.ExecSpec{}, "print", "3"); code != 0 || err != nil {
		s.t.Errorf("without a reader: exit code %d, %v", code, err)
	}
	code, err := s.eng.Exec(s.ctx(), id, orchestrator.ExecSpec{Command: []string{"/no-such-command"}})
	if code != 126 && code != 127 || err != nil && !errors.Is(err, orchestrator.ErrCannotStart) {
		s.t.Errorf("a missing command: exit code %d, %v", code, err)
	}
	_, err = s.stream(s.ctx(), "no-such-container", orchestrator.ExecSpec{}, "exit", "0")
	s.is("gone", err, orchestrator.ErrNotFound)
	s.must(s.eng.KillContainer(s.ctx(), id, "KILL"))
	s.exited(id)
	_, err = s.stream(s.ctx(), id, orchestrator.ExecSpec{}, "exit", "0")
	s.is("exited", err, orchestrator.ErrNotRunning)
}

func (s *suite) testTerminal() {
	id := s.run("wait")
	resizes := make(chan orchestrator.TTYSize)
	said := &pieces{heard: make(chan string, 1)}
	open, input := io.Pipe() // the input of a terminal does not end
	defer func() { _ = input.Close() }()
	ended := make(chan error, 1)
	go func() {
		_, err := s.stream(s.ctx(), id, orchestrator.ExecSpec{
			Stdin: open, Stdout: said,
			TTY: &orchestrator.TTY{Size: orchestrator.TTYSize{Columns: 101, Rows: 31}, Resizes: resizes},
		}, "columns", "101", "77")
		ended <- err
	}()
	s.hear(said, "101 columns\r\n")
	resizes <- orchestrator.TTYSize{Columns: 77, Rows: 20}
	s.hear(said, "77 columns\r\n")
	s.must(<-ended)
	for _, text := range []string{"", "one\n", "one"} { // with or without its last newline, an input has an end
		var out bytes.Buffer // an echo may precede it
		code, err := s.stream(s.ctx(), id, orchestrator.ExecSpec{Stdin: strings.NewReader(text), Stdout: &out, TTY: &orchestrator.TTY{}}, "echo")
		if code != 0 || err != nil || !strings.HasSuffix(strings.ReplaceAll(out.String(), "\r\n", "\n"), text) {
			s.t.Errorf("%q on a terminal: exit code %d, %v, %q", text, code, err, out.String())
		}
	}
	var plain bytes.Buffer
	if code, err := s.stream(s.ctx(), id, orchestrator.ExecSpec{Stdout: &plain}, "columns", "80"); code != 1 || err != nil || plain.String() != "no terminal\n" {
		s.t.Errorf("without a terminal: exit code %d, %v, %q", code, err, plain.String())
	}
}

func (s *suite) testKeys() {
	id := s.run("wait")
	said := &pieces{heard: make(chan string, 1)}
	open, input := io.Pipe()
	defer func() { _ = input.Close() }()
	ended := make(chan error, 1)
	go func() {
		code, err := s.stream(s.ctx(), id, orchestrator.ExecSpec{Stdin: open, Stdout: said, TTY: &orchestrator.TTY{}}, "keys", "4")
		if code != 0 {
			err = errors.Join(err, fmt.Errorf("exit code %d", code))
		}
		ended <- err
	}()
	s.hear(said, "waiting\r\n")
	for _, key := range []byte{0x10, 0x11, 0x03, 0x10} { // Ctrl-P, Ctrl-Q: an engine handles them itself, unless it is told otherwise
		_, err := input.Write([]byte{key})
		s.must(err)
		s.hear(said, fmt.Sprintf("%x\r\n", key))
	}
	s.must(<-ended)
}

// pieces passes on what is written, piece by piece.
type pieces struct{ heard chan string }

func (p *pieces) Write(b []byte) (int, error) {
	p.heard <- string(b)
	return len(b), nil
}

// hear waits for a text, in any number of pieces.
func (s *suite) hear(p *pieces, text string) {
	s.t.Helper()
	deadline := time.After(patience)
	for got := ""; got != text; {
		select {
		case more := <-p.heard:
			got += more
		case <-deadline:
			s.t.Fatalf("received %q, want %q", got, text)
		}
	}
}

func (s *suite) testStreamsEnd() {
	id := s.run("wait")
	s.waiting(id)
	full := errors.New("full")
	broken, w := io.Pipe()
	s.must(broken.CloseWithError(full))
	_, err := s.stream(s.ctx(), id, orchestrator.ExecSpec{Stdout: w}, "stubborn")
	s.is("a failing reader", err, full)

	ctx, cancel := context.WithCancel(s.ctx())
	defer cancel()
	open, input := io.Pipe() // without a writer, its Read lasts until the end of the test
	defer func() { _ = input.Close() }()
	said := &pieces{heard: make(chan string, 1)}
	ended := make(chan error, 1)
	stubborn := func() {
		_, err := s.stream(ctx, id, orchestrator.ExecSpec{Stdin: open, Stdout: said}, "stubborn")
		ended <- err
	}
	go stubborn()
	s.hear(said, "waiting\n")
	cancel()
	s.is("cancelled", <-ended, context.Canceled)

	ctx = s.ctx()
	go stubborn()
	s.hear(said, "waiting\n")
	s.must(s.eng.KillContainer(s.ctx(), id, "KILL"))
	s.is("its container is killed", <-ended, orchestrator.ErrNotRunning)
}

func (s *suite) testStdin() {
	id := s.create(func(c *orchestrator.ContainerSpec) { c.Stdin = true }, "echo")
	s.is("created", s.eng.AttachStdin(s.ctx(), id, strings.NewReader("?")), orchestrator.ErrNotRunning)
	var want []string
	for _, text := range []string{"one", "two"} {
		s.must(s.eng.StartContainer(s.ctx(), id))
		for _, line := range []string{text + "\n", text + " again\n"} { // the input remains open
			s.must(s.eng.AttachStdin(s.ctx(), id, strings.NewReader(line)))
			want = append(want, "stdout "+line)
			s.eventually("it prints "+line, func() bool { return slices.Equal(s.output(id), want) })
		}
		s.must(s.eng.KillContainer(s.ctx(), id, "KILL"))
		s.exited(id)
	}
	s.is("exited", s.eng.AttachStdin(s.ctx(), id, strings.NewReader("?")), orchestrator.ErrNotRunning)
	s.is("gone", s.eng.AttachStdin(s.ctx(), "no-such-container", strings.NewReader("?")), orchestrator.ErrNotFound)
	closed := s.create(func(c *orchestrator.ContainerSpec) { c.Name += "-closed" }, "wait")
	s.must(s.eng.StartContainer(s.ctx(), closed))
	s.is("closed", s.eng.AttachStdin(s.ctx(), closed, strings.NewReader("?")), orchestrator.ErrNoStdin)

	s.must(s.eng.StartContainer(s.ctx(), id))
	ctx, cancel := context.WithCancel(s.ctx())
	open, input := io.Pipe()
	defer func() { _ = input.Close() }()
	ended := make(chan error, 1)
	go func() { ended <- s.eng.AttachStdin(ctx, id, open) }()
	cancel()
	s.is("cancelled", <-ended, context.Canceled)
}
