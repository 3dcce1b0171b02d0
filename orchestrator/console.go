package orchestrator

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// This file is what people do by hand in a node's container. None of it needs a
// supervisor.

// Exec runs a command in a node's container: see [Streams].Exec. A node that
// does not run, is paused, or ends meanwhile, matches [ErrNotRunning].
func Exec(ctx context.Context, eng Engine, cluster, node string, spec ExecSpec) (exitCode int, err error) {
	f, n, err := runningNode(ctx, eng, cluster, node)
	if err != nil {
		return 0, err
	}
	return execIn(ctx, eng, f, n, spec)
}

// execIn tells more of a node that ended.
func execIn(ctx context.Context, eng Engine, f Found, n NodeStatus, spec ExecSpec) (int, error) {
	code, err := eng.Exec(ctx, n.ContainerID, spec)
	if !errors.Is(err, ErrNotRunning) && !errors.Is(err, ErrNotFound) {
		return code, err
	}
	now, again := Find(ctx, eng, f.Cluster)
	if again != nil {
		return 0, again // taken down
	}
	ended := &EndedError{Node: n.Name}
	if n, ok := now.Node(n.Name); ok {
		ended.Exit = n.LastExit
	}
	return 0, ended
}

// EndedError is a node that ended under a command or a shell in its container. It
// matches [ErrNotRunning].
type EndedError struct {
	Node string
	Exit *Exit // as the engine tells it; nil where it runs again already
}

func (e *EndedError) Error() string {
	if e.Exit == nil {
		return e.Node + " ended"
	}
	return fmt.Sprintf("%s ended (exit %d, %s)", e.Node, e.Exit.Code, e.Exit.Class)
}

func (e *EndedError) Unwrap() error { return ErrNotRunning }

// Send writes to the standard input of a node's first process, as far as in goes;
// see [Streams].AttachStdin. Without [Spec].Stdin it matches [ErrNoStdin].
func Send(ctx context.Context, eng Engine, cluster, node string, in io.Reader) error {
	_, n, err := runningNode(ctx, eng, cluster, node)
	if err != nil {
		return err
	}
	err = eng.AttachStdin(ctx, n.ContainerID, in)
	if errors.Is(err, ErrNoStdin) {
		return WithHint(fmt.Errorf("%s: %w", node, ErrNoStdin), "open it in beamyard.yml: stdin: true; then: beamyard down %s && beamyard up", cluster)
	}
	return err
}

// Shell opens an interactive shell on a node, in a VM of its own beside the node in
// its container: the node's release's IEx, IEx, or Erlang's shell where there is no
// Elixir. The VM joins no mesh: it is hidden, listens nowhere, and its name is
// nobody else's. It takes some 60 MB, within the container's memory limit.
//
// Of spec the streams, TTY and Env are heeded; TERM in Env should name the
// terminal's kind. The exit code is the VM's: 0 for whoever leaves with Ctrl-\, 127
// where the container has none of the three shells. Errors are those of [Exec].
func Shell(ctx context.Context, eng Engine, cluster, node string, spec ExecSpec) (exitCode int, err error) {
	f, n, err := runningNode(ctx, eng, cluster, node)
	if err != nil {
		return 0, err
	}
	return execIn(ctx, eng, f, n, shellSpec(f.Spec, n, rand.Text(), spec))
}

// shellScript finds a shell in the container and starts it.
//
//go:embed shell.sh
var shellScript string

// shellSpec is the command of a shell on a node. The cookie comes by ERL_AFLAGS, as
// the node's own: arguments are told in the engine's events. A VM that is given
// two cookies takes neither.
func shellSpec(s Spec, n NodeStatus, unique string, spec ExecSpec) ExecSpec {
	_, host, _ := strings.Cut(n.Node, "@")
	names := "name"
	if !strings.Contains(host, ".") {
		names = "sname"
	}
	flags := userFlags(s, n.Name)
	if !strings.Contains(flags, "-setcookie") {
		flags = strings.TrimSpace("-setcookie " + s.Cookie + " " + flags)
	}
	spec.Command = []string{
		"sh", "-c", shellScript, "sh", n.Node, names, "shell-" + strings.ToLower(unique) + "@" + host,
		shellFlags(s),
	}
	spec.Env = append(slices.Clone(spec.Env),
		"ERL_AFLAGS="+flags,
		"ERL_CRASH_DUMP_SECONDS=0", // the node's own dump stays
	)
	return spec
}

// shellFlags have a shell's VM find the node on its port, and nothing else: no EPMD is
// started, and the port is not listened on. Where EPMD alone knows the port, it is asked.
func shellFlags(s Spec) string {
	flags := "-hidden -dist_listen false -start_epmd false"
	if s.Distribution.Inet6 {
		flags += " " + inet6Flag
	}
	if s.Distribution.Port != 0 {
		flags += fmt.Sprintf(" -erl_epmd_port %d", s.Distribution.Port)
	}
	return flags
}

// userFlags are the ERL_AFLAGS that the spec itself gives a node.
func userFlags(s Spec, node string) string {
	for i, n := range s.Nodes {
		if n.Name == node {
			return words(s, i).Replace(s.filled(i).Env["ERL_AFLAGS"])
		}
	}
	return s.Env["ERL_AFLAGS"]
}

// runningNode finds a node whose container takes commands.
func runningNode(ctx context.Context, eng Engine, cluster, node string) (Found, NodeStatus, error) {
	f, err := Find(ctx, eng, cluster)
	if err != nil {
		return f, NodeStatus{}, err
	}
	n, ok := f.Node(node)
	switch {
	case !ok:
		return f, n, f.Spec.noNode(node)
	case !n.State.Running():
		return f, n, WithHint(fmt.Errorf("%s: %w (%s)", node, ErrNotRunning, n.Reason), "beamyard start %s/%s", cluster, node)
	case n.Reason == reasonPaused:
		return f, n, WithHint(fmt.Errorf("%s: %w: its container is paused", node, ErrNotRunning), "beamyard unpause %s/%s", cluster, node)
	}
	return f, n, nil
}
