package main

import (
	"context"
	"io"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

type sendCmd struct {
	target
	Node string `arg:"" help:"The node: n1, or demo/n1."`
	Text string `arg:"" optional:"" default:"-" help:"A line to send; - sends what comes on stdin."`
}

func (sendCmd) Help() string {
	return `What is sent is the standard input of the node's main process, its command: in
beamyard.yml it must be open, by stdin: true. It stays open, for the next one, and
over restarts. What the process answers is in its logs.

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
	cluster, nodes, err := c.resolve(ctx, eng, "send", []string{c.Node})
	if err != nil {
		return err
	}
	return orchestrator.Send(ctx, eng, cluster, nodes[0], in)
}
