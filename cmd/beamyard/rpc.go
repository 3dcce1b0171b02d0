package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	choice "github.com/beamyard/beamyard/orchestrator/target"
	"golang.org/x/sync/errgroup"
)

type rpcCmd struct {
	target
	All        bool          `help:"On every node, at once: name none."`
	File       string        `placeholder:"FILE" complete:"files" help:"Evaluate a file; its name is in stack traces."`
	Erlang     bool          `help:"The expression is Erlang, for nodes without Elixir."`
	Timeout    time.Duration `placeholder:"DURATION" help:"Timeout, on the nodes too: 5s. (Default: none.)"`
	Nodes      string        `arg:"" optional:"" name:"node" complete:"nodes" help:"The node: n1, or demo/n1; several: n1,n2 or a role."`
	Expression string        `arg:"" optional:"" help:"Elixir; - reads it from stdin."`
}

func (rpcCmd) Help() string {
	return `Evaluates the expression on the node, over the Erlang distribution, as a hidden node:
nothing is started in the container. Its output is written to stdout as it is
printed, followed by its value, inspected. An exception is written to stderr with
its stack trace, and the exit code is 1. --timeout and Ctrl-C also end the
evaluation on the node. Several nodes are asked at once, and shown by name.

--json prints {"result": …, "output": …}; for several nodes, such an object or
{"error": …} for each.

Examples:
  beamyard rpc n1 'Node.list()'
  beamyard rpc n1,n2 'DateTime.utc_now()'
  beamyard rpc --all --timeout 5s ':erlang.memory(:total)'
  beamyard rpc n1 --file check.exs
  beamyard rpc n1 - < check.exs
  beamyard rpc n1 --erlang 'nodes().'`
}

// Run evaluates an expression on a node.
func (c *rpcCmd) Run(ctx context.Context, a *app) error {
	nodes, expression, err := c.asked(a.in)
	if err != nil {
		return err
	}
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	cluster, nodes, err := c.resolve(ctx, a, eng, "rpc", nodes, nil)
	if err != nil {
		return err
	}
	if c.All {
		found, err := discovery.Find(ctx, eng, cluster)
		if err != nil {
			return err
		}
		for _, n := range found.Nodes {
			nodes = append(nodes, n.Name)
		}
	}
	options := orchestrator.EvalOptions{Erlang: c.Erlang}
	if c.File != "" {
		options.File = filepath.Base(c.File)
	}
	eval := func(node string, out io.Writer) (string, error) {
		options := options
		options.Output = out
		return c.eval(ctx, eng, cluster, node, expression, options)
	}
	if len(nodes) > 1 || c.All {
		return everywhere(a, nodes, eval)
	}
	return here(a, nodes[0], eval)
}

// asked returns what the command line and stdin ask for. With --all there are no nodes, and
// with --file there is no expression: the remaining argument is the other one.
func (c *rpcCmd) asked(stdin io.Reader) (nodes []string, expression string, err error) {
	named, text := c.Nodes, c.Expression
	if c.All && text == "" {
		named, text = text, named
	}
	switch {
	case c.All && named != "":
		return nil, "", usagef("beamyard rpc --all 'Node.list()'", "--all is every node: name none")
	case c.File != "" && text != "":
		return nil, "", usagef("beamyard rpc n1 --file "+c.File, "what to evaluate is in --file: %q is too much", text)
	case !c.All && named == "":
		return nil, "", usagef("beamyard rpc n1 'Node.list()', or beamyard rpc --all 'Node.list()'", "no node is named")
	case c.File == "" && text == "":
		return nil, "", usagef("beamyard rpc n1 'Node.list()'", "there is nothing to evaluate")
	case named != "":
		nodes = choice.Split(named, ',')
	}
	data := []byte(text)
	switch {
	case c.File != "":
		data, err = os.ReadFile(c.File)
		if err != nil {
			return nil, "", usagef("beamyard rpc n1 --file FILE", "%v", err)
		}
	case text == "-":
		data, err = io.ReadAll(stdin)
		if err != nil {
			return nil, "", fmt.Errorf("read the expression: %w", err)
		}
	}
	return nodes, string(data), nil
}

// eval evaluates on one node, within its timeout.
func (c *rpcCmd) eval(ctx context.Context, eng orchestrator.Engine, cluster, node, expression string, o orchestrator.EvalOptions) (string, error) {
	limited, cancel := ctx, context.CancelFunc(func() {})
	if c.Timeout > 0 {
		limited, cancel = context.WithTimeout(ctx, c.Timeout)
	}
	defer cancel()
	value, err := evaluate(limited, eng, cluster, node, expression, o)
	if errors.Is(limited.Err(), context.DeadlineExceeded) && ctx.Err() == nil && err != nil {
		return "", orchestrator.WithHint(fmt.Errorf("%s: no value within %s; what evaluated it there is killed", node, c.Timeout), "give it more time: --timeout %s", 4*c.Timeout)
	}
	return value, err
}

// evaluate asks the cluster's supervisor, which is already connected to the node, or the node
// itself if no supervisor answers.
func evaluate(ctx context.Context, eng orchestrator.Engine, cluster, node, expression string, o orchestrator.EvalOptions) (string, error) {
	r := &connection{cluster: cluster}
	defer r.hangUp()
	_ = r.dial(ctx) // otherwise it is gone, or does not answer
	return r.controller(eng).Eval(ctx, node, expression, o)
}

// evaluated is one node's answer.
type evaluated struct {
	Result *string `json:"result,omitempty"`
	Error  string  `json:"error,omitempty"`
	Output string  `json:"output,omitempty"`
}

// here prints the answer of one node as it arrives.
func here(a *app, node string, eval func(string, io.Writer) (string, error)) error {
	var printed bytes.Buffer
	out := io.Writer(a.out)
	if a.json {
		out = &printed
	}
	result, err := eval(node, out)
	if err != nil && printed.Len() > 0 { // the part of the answer that arrived
		err = errors.Join(err, a.printJSON(evaluated{Error: err.Error(), Output: printed.String()}))
	}
	if err != nil {
		return err
	}
	return a.answer(evaluated{Result: &result, Output: printed.String()}, func(o *output) error {
		_, err := fmt.Fprintf(o, "%s%s\n", printed.String(), result)
		return err
	})
}

// everywhere prints the answers of several nodes, in their order, when all have answered.
func everywhere(a *app, nodes []string, eval func(string, io.Writer) (string, error)) error {
	answers := make([]evaluated, len(nodes))
	errs := make([]error, len(nodes))
	var group errgroup.Group
	for i, node := range nodes {
		group.Go(func() error {
			var printed bytes.Buffer
			result, err := eval(node, &printed)
			answers[i].Output = printed.String()
			if errs[i] = err; err != nil {
				answers[i].Error = err.Error()
			} else {
				answers[i].Result = &result
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs
	if a.json {
		byNode := map[string]evaluated{}
		for i, node := range nodes {
			byNode[node] = answers[i]
		}
		return errors.Join(append(errs, a.printJSON(byNode))...)
	}
	for i, node := range nodes {
		bold, off := a.out.color("1"), a.out.color("0")
		fmt.Fprintf(a.out, "%s%s:%s\n%s", bold, node, off, answers[i].Output)
		if answers[i].Result != nil {
			fmt.Fprintln(a.out, *answers[i].Result)
		}
	}
	return errors.Join(errs...)
}
