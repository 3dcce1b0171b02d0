package main

import (
	"context"

	"github.com/beamyard/beamyard/orchestrator"
)

type iexCmd struct {
	target
	Node string `arg:"" help:"The node: n1, or demo/n1."`
}

func (iexCmd) Help() string {
	return `A remote shell: what you type is evaluated on the node. Tab completes, the up
arrow recalls (also what was typed in earlier shells on this node), Ctrl-\ leaves,
Ctrl-C goes into the shell. Without IEx in the container it is Erlang's shell.

The shell is a VM of its own beside the node, in its container: hidden, so that
peers do not see it and nothing is meshed, and some 60 MB of the container's memory
limit. To evaluate without a terminal, in scripts, use rpc.`
}

// Run opens a shell.
func (c *iexCmd) Run(ctx context.Context, a *app) error {
	in, ok := a.terminal()
	if !ok {
		return usagef("beamyard rpc "+c.Node+" - < FILE", "iex needs a terminal: its stdin and stdout are none")
	}
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	cluster, nodes, err := c.resolve(ctx, eng, "iex", []string{c.Node})
	if err != nil {
		return err
	}
	before := nodeOf(ctx, eng, cluster, nodes[0])
	tty, giveBack, err := lend(ctx, in)
	if err != nil {
		return err
	}
	defer giveBack()
	code, err := orchestrator.Shell(ctx, eng, cluster, nodes[0], orchestrator.ExecSpec{Stdin: in, Stdout: a.out, TTY: tty, Env: terminalEnv()})
	giveBack()
	if err != nil {
		_, _ = a.out.Write([]byte("\n")) // the prompt has no end
		return after(ctx, eng, cluster, "iex", before, err)
	}
	if code != 0 {
		return &exited{code: code}
	}
	return nil
}

// nodeOf is how its supervisor sees a node, zero where there is none.
func nodeOf(ctx context.Context, eng orchestrator.Engine, cluster, node string) orchestrator.NodeStatus {
	found, err := orchestrator.Find(ctx, eng, cluster)
	if err != nil {
		return orchestrator.NodeStatus{} // who asks next says why
	}
	n, _ := statusOf(ctx, found.Status).Node(node)
	return n
}
