package discovery

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file holds the manual operations on a node's container. None of them needs a
// supervisor.

// Exec runs a command in a node's container: see [orchestrator.Streams].Exec. A node that is not
// running, is paused, or ends during the call matches [orchestrator.ErrNotRunning].
func Exec(ctx context.Context, eng orchestrator.Engine, cluster, node string, spec orchestrator.ExecSpec) (exitCode int, err error) {
	f, n, err := runningNode(ctx, eng, cluster, node)
	if err != nil {
		return 0, err
	}
	return execIn(ctx, eng, f, n, spec)
}

// execIn runs a command, and adds the exit to the error if the node ended.
func execIn(ctx context.Context, eng orchestrator.Engine, f Cluster, n orchestrator.NodeStatus, spec orchestrator.ExecSpec) (int, error) {
	code, err := eng.Exec(ctx, n.ContainerID, spec)
	if !errors.Is(err, orchestrator.ErrNotRunning) && !errors.Is(err, orchestrator.ErrNotFound) {
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

// EndedError says that a node ended while a command or a shell ran in its container. It
// matches [orchestrator.ErrNotRunning].
type EndedError struct {
	Node string
	Exit *orchestrator.Exit // as the engine reports it; nil if the node is running again
}

func (e *EndedError) Error() string {
	if e.Exit == nil {
		return e.Node + " ended"
	}
	return fmt.Sprintf("%s ended (exit %d, %s)", e.Node, e.Exit.Code, e.Exit.Class)
}

func (e *EndedError) Unwrap() error { return orchestrator.ErrNotRunning }

// Send copies in to the standard input of a node's first process; see
// [orchestrator.Streams].AttachStdin. Without [orchestrator.Spec].Stdin it matches
// [orchestrator.ErrNoStdin].
func Send(ctx context.Context, eng orchestrator.Engine, cluster, node string, in io.Reader) error {
	_, n, err := runningNode(ctx, eng, cluster, node)
	if err != nil {
		return err
	}
	err = eng.AttachStdin(ctx, n.ContainerID, in)
	if errors.Is(err, orchestrator.ErrNoStdin) {
		return orchestrator.WithHint(fmt.Errorf("%s: %w", node, orchestrator.ErrNoStdin), "open it: %s; then: %s && %s", hint.Setting("stdin: true"), hint.Down.On(cluster), hint.Up.With())
	}
	return err
}

// Shell opens an interactive shell on a node, in a separate VM in the node's container:
// IEx of the node's release, IEx, or Erlang's shell if there is no Elixir. The VM does
// not join the mesh: it is hidden, does not listen, and has a unique name. It uses about
// 60 MB, within the container's memory limit.
//
// Only the streams, TTY and Env of spec are used; TERM in Env should name the type of the
// terminal. The exit code is the VM's: 0 after leaving with Ctrl-\, 127 if the container
// has none of the three shells. Errors are those of [Exec].
func Shell(ctx context.Context, eng orchestrator.Engine, cluster, node string, spec orchestrator.ExecSpec) (exitCode int, err error) {
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

// shellSpec returns the command of a shell on a node. It passes the cookie in ERL_AFLAGS,
// as the node gets its own, because the engine's events show arguments. A VM that is
// given two cookies uses neither.
func shellSpec(s orchestrator.Spec, n orchestrator.NodeStatus, unique string, spec orchestrator.ExecSpec) orchestrator.ExecSpec {
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
		"ERL_CRASH_DUMP_SECONDS=0", // keeps the node's own dump
	)
	return spec
}

// shellFlags make a shell's VM find the node on its port: they start no EPMD and do not
// listen on the port. If only EPMD knows the port, the VM queries it.
func shellFlags(s orchestrator.Spec) string {
	flags := "-hidden -dist_listen false -start_epmd false"
	if protocol := manifest.ProtocolFlags(s.Distribution); protocol != "" {
		flags += " " + protocol
	}
	if s.Distribution.Port != 0 {
		flags += fmt.Sprintf(" -erl_epmd_port %d", s.Distribution.Port)
	}
	return flags
}

// userFlags returns the ERL_AFLAGS that the spec itself sets for a node.
func userFlags(s orchestrator.Spec, node string) string {
	for i, n := range s.Nodes {
		if n.Name == node {
			return manifest.Words(s, i).Replace(s.NodeAt(i).Env["ERL_AFLAGS"])
		}
	}
	return s.Env["ERL_AFLAGS"]
}

// runningNode finds a node whose container accepts commands.
func runningNode(ctx context.Context, eng orchestrator.Engine, cluster, node string) (Cluster, orchestrator.NodeStatus, error) {
	f, err := Find(ctx, eng, cluster)
	if err != nil {
		return f, orchestrator.NodeStatus{}, err
	}
	n, ok := f.Node(node)
	switch {
	case !ok:
		return f, n, f.Spec.NoNode(node)
	case !n.State.Running():
		return f, n, orchestrator.WithHint(fmt.Errorf("%s: %w (%s)", node, orchestrator.ErrNotRunning, n.Reason), "%s", hint.Start.On(cluster, node))
	case n.Paused:
		return f, n, orchestrator.WithHint(fmt.Errorf("%s: %w: its container is paused", node, orchestrator.ErrNotRunning), "%s", hint.Unpause.On(cluster, node))
	}
	return f, n, nil
}
