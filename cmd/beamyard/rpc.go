package main

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/beamyard/beamyard/orchestrator"
)

type rpcCmd struct {
	target
	Node       string `arg:"" help:"The node: n1, or demo/n1."`
	Expression string `arg:"" help:"Elixir; - reads it from stdin."`
}

func (rpcCmd) Help() string {
	return `The expression runs on the node, asked over the Erlang distribution by a hidden
node: nothing is started in the container. What it prints comes to stdout as it
is printed, then its value, inspected. An exception goes to stderr and exits 1.
--json answers with {"result": …, "output": …}.

Examples:
  beamyard rpc n1 'Node.list()'
  beamyard rpc n1 - < check.exs`
}

// Run evaluates an expression.
func (c *rpcCmd) Run(ctx context.Context, a *app) error {
	expression := c.Expression
	if expression == "-" {
		text, err := io.ReadAll(a.in)
		if err != nil {
			return fmt.Errorf("read the expression: %w", err)
		}
		expression = string(text)
	}
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	cluster, nodes, err := c.resolve(ctx, eng, "rpc", []string{c.Node})
	if err != nil {
		return err
	}
	var printed bytes.Buffer
	out := io.Writer(a.out)
	if a.json {
		out = &printed
	}
	result, err := orchestrator.Eval(ctx, eng, cluster, nodes[0], expression, out)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(struct {
			Result string `json:"result"`
			Output string `json:"output,omitempty"`
		}{result, printed.String()})
	}
	_, err = fmt.Fprintln(a.out, result)
	return err
}
