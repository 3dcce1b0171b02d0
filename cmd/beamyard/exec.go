package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

type execCmd struct {
	target
	TTY   bool     `short:"t" xor:"tty" help:"Allocate a terminal, also when stdin or stdout is not one."`
	NoTTY bool     `short:"T" name:"no-tty" xor:"tty" help:"Do not allocate a terminal."`
	User  string   `short:"u" placeholder:"USER" help:"Run as this user: a name, uid or uid:gid."`
	Dir   string   `short:"w" placeholder:"DIR" help:"Working directory inside the container."`
	Env   []string `short:"e" sep:"none" placeholder:"KEY=VALUE" help:"Set environment variables."`

	Node    string   `arg:"" complete:"node" help:"The node: n1, or demo/n1."`
	Command []string `arg:"" passthrough:"" help:"The command and its arguments."`
}

func (execCmd) Help() string {
	return `Runs the command in the node's container, without a shell, as the container's user.
stdin, stdout and stderr are connected to it, and its exit code is returned; 127
means that there is no such command. It has a terminal when both stdin and stdout
are one. Ctrl-C is sent to the command; a second one kills it and its children.

--json prints {"exit_code": …, "stdout": …, "stderr": …}.

Examples:
  beamyard exec n1 -- ls -l /app
  beamyard exec n1 -- sh
  beamyard exec n1 -u root -- apt-get install -y strace
  tar -c priv | beamyard exec n1 -- tar -x -C /tmp`
}

// Run runs a command in a node's container.
func (c *execCmd) Run(ctx context.Context, a *app) error {
	command := c.Command
	if command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 {
		return usagef("beamyard exec "+c.Node+" -- ls", "there is no command")
	}
	for _, kv := range c.Env {
		if key, _, ok := strings.Cut(kv, "="); !ok || key == "" {
			return usagef("beamyard exec "+c.Node+" -e KEY=VALUE -- "+strings.Join(command, " "), "-e %s: a variable is KEY=VALUE", kv)
		}
	}
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	cluster, node, err := c.resolveOne(ctx, a, eng, "exec", c.Node)
	if err != nil {
		return err
	}
	before := nodeOf(ctx, eng, cluster, node)
	spec := orchestrator.ExecSpec{Command: command, Env: c.Env, User: c.User, Dir: c.Dir, Stdin: a.in, Stdout: a.out, Stderr: a.err}
	var stdout, stderr bytes.Buffer
	if a.json {
		spec.Stdout, spec.Stderr = &stdout, &stderr
	}
	giveBack, stop := func() {}, func() {}
	if in, ok := a.terminal(); ok && !c.NoTTY && !a.json {
		spec.Env = append(terminalEnv(), spec.Env...)
		if spec.TTY, giveBack, err = lend(ctx, in); err != nil {
			return err
		}
	} else {
		if c.TTY {
			spec.TTY = &orchestrator.TTY{Size: orchestrator.TTYSize{Columns: 80, Rows: 24}}
		}
		ctx, spec.Signals, stop = passSignals(ctx, a.second)
	}
	defer giveBack()
	defer stop()
	code, err := discovery.Exec(ctx, eng, cluster, node, spec)
	giveBack()
	switch {
	case errors.Is(err, orchestrator.ErrCannotStart):
		giveBack()
		return &exited{code: code, err: orchestrator.WithHint(fmt.Errorf("%s cannot run %s: %w", node, command[0], err), "see what there is: beamyard exec %s -- ls /bin /usr/bin", c.Node)}
	case errors.Is(err, syscall.EPIPE): // the reader of our output has closed it: head(1)
		return &exited{code: 128 + int(syscall.SIGPIPE)}
	case err != nil:
		return after(ctx, eng, cluster, "exec", before, err)
	}
	if a.json {
		if err := a.printJSON(struct {
			ExitCode int    `json:"exit_code"`
			Stdout   string `json:"stdout,omitempty"`
			Stderr   string `json:"stderr,omitempty"`
		}{code, stdout.String(), stderr.String()}); err != nil {
			return err
		}
	}
	return &exited{code: code}
}

// passSignals passes our signals to the command. The first one ends a command that obeys it,
// with its own exit code; the second one, with the context, ends everything. If the reader of
// our output closes it (SIGPIPE), the command must end, too, so SIGPIPE is an error here and
// does not kill this process.
//
// A signal that came earlier, which before reports, is not passed on: the command does not
// start.
func passSignals(before context.Context, second <-chan struct{}) (context.Context, <-chan string, func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(before))
	ours := make(chan os.Signal, 2)
	signal.Notify(ours, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	signal.Ignore(syscall.SIGPIPE)
	if before.Err() != nil {
		cancel()
	}
	names := make(chan string)
	go func() {
		for {
			var name string
			select {
			case s := <-ours:
				name = signalName(s)
			case <-second:
				cancel()
				return
			case <-ctx.Done():
				return
			}
			select {
			case names <- name:
			case <-second:
				cancel()
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, names, func() {
		signal.Stop(ours)
		signal.Reset(syscall.SIGPIPE)
		cancel()
	}
}

// signalName returns the name of a signal as `kill -s` takes it.
func signalName(s os.Signal) string {
	for signal, name := range map[os.Signal]string{
		os.Interrupt: "INT", syscall.SIGTERM: "TERM", syscall.SIGHUP: "HUP", syscall.SIGQUIT: "QUIT",
	} {
		if s == signal {
			return name
		}
	}
	panic(fmt.Sprintf("nobody asked for %s", s))
}
