package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"syscall"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
)

type runCmd struct {
	oneShot `set:"nodes=3"`
	Path    string `arg:"" optional:"" name:"path|image" complete:"files" help:"As for up (default: this folder)."`
}

func (runCmd) Help() string {
	return `Runs the command after -- on this machine once the cluster is ready. The command
uses this terminal's input and output; Beamyard's own output goes to stderr. Its
exit code is returned. Its environment describes the cluster:

  BEAMYARD_CLUSTER      demo: the default cluster of beamyard rpc, logs, kill, …
  BEAMYARD_NODES        n1,n2,n3
  BEAMYARD_NODE_NAMES   app@n1.demo.test,…
  BEAMYARD_URLS         http://127.0.0.1:4200,…; also BEAMYARD_URL_N1, …
  BEAMYARD_DIST_ADDRS   where each node's distribution port can be dialled
  BEAMYARD_COOKIE_FILE  a file with the cookie, mode 0600, while it runs

The command is not run when the cluster does not start (exit 3, 4 or 5). A node that
fails permanently meanwhile is reported, and an exit code of 0 becomes 4. 128+n:
signal n ended the command. When run itself is killed (SIGKILL), the cluster is
removed, but the command continues. With warm: 1 in beamyard.yml, or BEAMYARD_WARM=1,
the next cluster is prepared in advance, and run starts sooner.

With matrix: in beamyard.yml, the command runs once for each combination, one after
the other, with a cluster of its own; a table at the end, on stderr, says how each
ended, with --json a last line on stdout. The exit code is the highest. Ctrl-C ends
all. A flag decides about its key: -n 3 --base trixie leaves one combination of
matrix: {base_image: [bookworm, trixie], nodes: [3, 5]}. warm is not used then.

Examples:
  beamyard run -- ./smoke-test.sh
  beamyard run ./shop -n 5 -- k6 run load.js
  beamyard run -n 2 -- sh -c 'beamyard kill n2 && curl $BEAMYARD_URL_N1/health'
  beamyard run --reuse -- mix run scripts/load.exs`
}

// Run runs a command with a cluster.
func (c *runCmd) Run(ctx context.Context, a *app) error {
	if len(a.rest) == 0 {
		return usagef("beamyard run -n 3 . -- COMMAND ARGUMENTS", "what is to be run comes after --")
	}
	program, err := exec.LookPath(a.rest[0]) // before a cluster is started in vain
	if err != nil {
		code := 127 // as in a shell
		if errors.Is(err, fs.ErrPermission) {
			code = 126
		}
		return &exited{code: code, err: fmt.Errorf("run %s: %w", a.rest[0], errors.Unwrap(err))}
	}
	c.What = c.Path
	return c.each(ctx, a, defaultNodes, "", nil, func(ctx context.Context, spec orchestrator.Spec) error {
		return c.with(ctx, a, spec, func(ctx context.Context, s *ephemeral) error { return s.run(ctx, program, a.rest) })
	})
}

// run runs a program until it exits. The terminal's Ctrl-C reaches it directly, other signals
// are passed on; the second one kills it.
func (s *ephemeral) run(ctx context.Context, program string, args []string) (err error) {
	st, err := s.cluster.Status(ctx)
	if err != nil {
		return err
	}
	cookie, err := control.CookieFile(s.spec.Name, s.found.Spec.Cookie)
	if err != nil {
		return err
	}
	defer func() {
		if gone := os.Remove(cookie); !errors.Is(gone, fs.ErrNotExist) { // else down removed it
			err = errors.Join(err, gone)
		}
	}()
	cmd := exec.Command(program, args[1:]...) //nolint:noctx // it is told of our end, and ends by itself
	cmd.Args[0] = args[0]
	addrs := map[string]string{}
	for _, n := range st.Nodes { // EPMD is asked here, so that the program need not know about it
		if addrs[n.Name], err = erldist.ListenAddr(ctx, n.Node, s.found.DistAddr(s.info, n.Name)); err != nil {
			return err
		}
	}
	cmd.Env = append(os.Environ(), coordinates(st, func(node string) string { return addrs[node] }, cookie)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.in, bare(s.out), bare(s.err)
	if err := cmd.Start(); err != nil {
		return &exited{code: 126, err: fmt.Errorf("run %s: %w", args[0], err)}
	}
	ended := make(chan struct{})
	passed := make(chan struct{})
	go func() {
		defer close(passed)
		s.passOn(ctx, cmd.Process, ended)
	}()
	err = cmd.Wait()
	close(ended)
	<-passed
	return programExit(cmd.ProcessState, err)
}

// passOn passes to the program the signals that only this process receives.
func (s *ephemeral) passOn(ctx context.Context, p *os.Process, ended <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-ended:
		return
	}
	var by *interruptedError
	if errors.As(context.Cause(ctx), &by) && (by.signal != os.Interrupt || !s.onTerminal()) {
		_ = p.Signal(by.signal) // fails if it has already exited
	}
	s.say("waiting for the command; Ctrl-C again kills it")
	select {
	case <-s.second:
		_ = p.Kill() // fails if it has already exited
	case <-ended:
	}
}

// onTerminal reports whether Ctrl-C comes from a terminal, which also sends it to the program.
func (a *app) onTerminal() bool {
	in, isFile := a.in.(*os.File)
	return a.err.fd >= 0 || a.out.fd >= 0 || isFile && newOutput(in).fd >= 0
}

// bare returns the writer behind an output: a program gets the file itself.
func bare(o *output) io.Writer { return o.w }

// programExit converts the end of a program to an error; nil means success.
func programExit(state *os.ProcessState, err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &exit):
		return fmt.Errorf("wait for the command: %w", err) // from copying its output
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return &exited{code: 128 + int(status.Signal())} // as in a shell
	}
	return &exited{code: exit.ExitCode()}
}
