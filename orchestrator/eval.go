package orchestrator

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/beamyard/beamyard/network/erldist"
)

// EvalError is an exception that an expression raised on a node.
type EvalError struct {
	Node  string
	Text  string // as the language prints it
	Trace string // the stack trace, one call per line; "" if unknown
}

func (e *EvalError) Error() string {
	return strings.TrimRight(fmt.Sprintf("%s: %s\n%s", e.Node, e.Text, e.Trace), "\n")
}

// The evaluators run on the node. They keep the value there, so that terms that cannot be
// sent (a function, a resource) are printed too, and return text. A process monitors the
// caller through its group leader, and kills the evaluation when the caller is gone:
// otherwise an endless evaluation would outlive its deadline.
var (
	//go:embed eval.exs
	evaluator string
	//go:embed eval.erl
	erlangEvaluator string
)

// Eval evaluates an Elixir expression on a node, over native RPC as a hidden node. It
// starts no process in the container, and the node's peers do not see the connection. The
// result is the value as `inspect` prints it. An exception is an [EvalError]. If ctx ends
// first, the evaluating process on the node is killed, with the processes linked to it.
//
// Eval is for a cluster without a supervisor. It reads the cookie from the cluster's
// labels and opens its own connection, which processes that monitor hidden nodes see.
// With a supervisor, use [Controller.Eval], which reuses the supervisor's connection.
func Eval(ctx context.Context, eng Engine, cluster, node, expression string, o EvalOptions) (string, error) {
	f, n, err := runningNode(ctx, eng, cluster, node)
	if err != nil {
		return "", err
	}
	info, err := eng.Info(ctx)
	if err != nil {
		return "", err
	}
	at := f.siteFrom(ctx, eng, info)
	conn, err := (&erldist.Dialer{Cookie: f.Spec.Cookie}).Dial(ctx, n.Node, at.distAddr(node))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	return evalOn(ctx, conn, cluster, node, expression, o)
}

// Eval implements [Controller].
func (c *Cluster) Eval(ctx context.Context, node, expression string, o EvalOptions) (string, error) {
	beam, addr, err := c.reach(node)
	if err != nil {
		return "", err
	}
	if open, ok := c.links.get(node); ok && !closed(open.Done()) {
		return evalOn(ctx, open.link, c.spec.Name, node, expression, o)
	}
	// The supervisor is not connected yet, or is not allowed to connect.
	conn, err := dialDistribution(c.spec, "")(ctx, beam, addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	return evalOn(ctx, conn, c.spec.Name, node, expression, o)
}

func evalOn(ctx context.Context, conn link, cluster, node, expression string, o EvalOptions) (string, error) {
	if o.Output == nil {
		o.Output = io.Discard
	}
	reply, err := evaluate(ctx, conn, expression, o)
	var rpc *erldist.RPCError
	if errors.As(err, &rpc) && !o.Erlang && rpc.Undefined() {
		return "", WithHint(fmt.Errorf("%s runs no Elixir", node), "ask it in Erlang: beamyard rpc --erlang %s/%s 'nodes().'", cluster, node)
	}
	if rpc != nil { // the evaluator catches exceptions of its own process
		return "", &EvalError{Node: node, Text: "what evaluated it was ended by a process that it is linked to: " + rpc.Error()}
	}
	if err != nil {
		return "", err
	}
	return evalResult(node, reply)
}

// evaluate returns a reply in the form that [evalResult] reads.
func evaluate(ctx context.Context, conn link, expression string, o EvalOptions) (any, error) {
	file := cmp.Or(o.File, "rpc")
	if o.Erlang {
		if text := strings.TrimSpace(expression); !strings.HasSuffix(text, ".") {
			expression = text + "."
		}
		reply, err := conn.EvalOutput(ctx, o.Output, erlangEvaluator, map[string]any{"Code": expression, "File": file})
		return erldist.Tuple{reply, erldist.List{}}, err
	}
	return conn.CallOutput(ctx, o.Output, "Elixir.Code", "eval_string", evaluator, erldist.List{
		erldist.Tuple{erldist.Atom("code"), expression}, erldist.Tuple{erldist.Atom("file"), file},
	})
}

// evalResult decodes {{:ok, text} | {:error, text, trace}, binding}.
func evalResult(node string, reply any) (string, error) {
	if outer, ok := reply.(erldist.Tuple); ok && len(outer) == 2 {
		inner, _ := outer[0].(erldist.Tuple)
		switch {
		case len(inner) == 2 && inner[0] == erldist.Atom("ok"):
			text, _ := erldist.Text(inner[1])
			return text, nil
		case len(inner) >= 2 && inner[0] == erldist.Atom("error"):
			raised := &EvalError{Node: node}
			raised.Text, _ = erldist.Text(inner[1])
			if len(inner) > 2 {
				raised.Trace, _ = erldist.Text(inner[2])
			}
			return "", raised
		}
	}
	return "", fmt.Errorf("%s: unexpected answer %s", node, erldist.Format(reply))
}
