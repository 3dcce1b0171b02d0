package main

import (
	"context"
	"io"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/discovery"
)

type sendCmd struct {
	target
	Node string `arg:"" complete:"node" help:"The node: n1, or demo/n1."`
	Text string `arg:"" optional:"" default:"-" help:"The line to send; - sends stdin."`
}

func (sendCmd) Help() string {
	return `Writes to the standard input of the node's command, which needs stdin: true in
beamyard.yml. It stays open after send, and over restarts. The output of the process
is in its logs.

Examples:
  beamyard send n1 'Node.list()'       for command: [iex, --name, "{node}", …]
  beamyard send n1 < orders.txt`
}

// Run writes to a node's standard input.
func (c *sendCmd) Run(ctx context.Context, a *app) error {
	in := a.in
	if c.Text != "-" {
		in = io.Reader(strings.NewReader(c.Text + "\n"))
	}
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	cluster, node, err := c.resolveOne(ctx, a, eng, "send", c.Node)
	if err != nil {
		return err
	}
	return discovery.Send(ctx, eng, cluster, node, in)
}
