package main

import (
	"context"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

type iexCmd struct {
	target
	Node string `arg:"" complete:"node" help:"The node: n1, or demo/n1."`
}

func (iexCmd) Help() string {
	return `A remote shell: expressions are evaluated on the node. Tab completes, the up arrow
recalls earlier lines (also of earlier shells on this node), Ctrl-\ exits, Ctrl-C is
sent to the shell. In a container without IEx it is the Erlang shell.

The shell runs in a VM of its own in the node's container. It is a hidden node, which
peers do not see and which joins no mesh, and it takes about 60 MB of the container's
memory limit. In scripts, without a terminal, use rpc.`
}

// Run opens a shell on a node.
func (c *iexCmd) Run(ctx context.Context, a *app) error {
	in, ok := a.terminal()
	if !ok {
		return usagef("beamyard rpc "+c.Node+" - < FILE", "iex needs a terminal on stdin and stdout")
	}
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	cluster, node, err := c.resolveOne(ctx, a, eng, "iex", c.Node)
	if err != nil {
		return err
	}
	before := nodeOf(ctx, eng, cluster, node)
	tty, giveBack, err := lend(ctx, in)
	if err != nil {
		return err
	}
	defer giveBack()
	code, err := discovery.Shell(ctx, eng, cluster, node, orchestrator.ExecSpec{Stdin: in, Stdout: a.out, TTY: tty, Env: terminalEnv()})
	giveBack()
	if err != nil {
		_, _ = a.out.Write([]byte("\n")) // the prompt does not end with a newline
		return after(ctx, eng, cluster, "iex", before, err)
	}
	if code != 0 {
		return &exited{code: code}
	}
	return nil
}

// nodeOf returns a node's status as its supervisor reports it, or the zero value without a
// supervisor.
func nodeOf(ctx context.Context, eng orchestrator.Engine, cluster, node string) orchestrator.NodeStatus {
	found, err := discovery.Find(ctx, eng, cluster)
	if err != nil {
		return orchestrator.NodeStatus{} // the next call reports the reason
	}
	n, _ := statusOf(ctx, found.Status).Node(node)
	return n
}
