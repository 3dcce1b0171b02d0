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
	Trace string // where it was raised, a line a call; "" where that is not known
}

func (e *EvalError) Error() string {
	return strings.TrimRight(fmt.Sprintf("%s: %s\n%s", e.Node, e.Text, e.Trace), "\n")
}

// The evaluators run on the node: they keep the value there, so that what cannot
// travel (a function, a resource) is printed too, and give back text. A process
// watches who asked, by the group leader that stands for them, and kills the
// evaluation when they are gone: else an endless one would outlive its time.
var (
	//go:embed eval.exs
	evaluator string
	//go:embed eval.erl
	erlangEvaluator string
)

// Eval evaluates an Elixir expression on a node, over native RPC as a hidden
// node: nothing is started in the container, and the node's peers do not see
// it. The result is what `inspect` makes of its value. An exception is an
// [EvalError]. When ctx ends first, the evaluating process on the node is killed,
// and what is linked to it.
//
// It is for a cluster without a supervisor, whose cookie comes from its labels. It
// connects for itself, which whoever watches hidden nodes there sees; where there is a
// supervisor, [Controller.Eval] does not.
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
	// The supervisor is not connected yet, or not allowed to be.
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
	if rpc != nil { // the evaluator catches what its own process raises
		return "", &EvalError{Node: node, Text: "what evaluated it was ended by a process that it is linked to: " + rpc.Error()}
	}
	if err != nil {
		return "", err
	}
	return evalResult(node, reply)
}

// evaluate answers as [evalResult] reads it.
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

// evalResult reads {{:ok, text} | {:error, text, trace}, binding}.
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
