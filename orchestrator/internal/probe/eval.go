package probe

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

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

// Eval evaluates an expression on a node and returns the value as text. An exception is an
// [orchestrator.EvalError].
func Eval(ctx context.Context, conn Link, cluster, node, expression string, o orchestrator.EvalOptions) (string, error) {
	if o.Output == nil {
		o.Output = io.Discard
	}
	reply, err := evaluate(ctx, conn, expression, o)
	var rpc *erldist.RPCError
	if errors.As(err, &rpc) && !o.Erlang && rpc.Undefined() {
		return "", orchestrator.WithHint(fmt.Errorf("%s runs no Elixir", node), "ask it in Erlang: %s", hint.EvalErlang.On(cluster, node).With("nodes()."))
	}
	if rpc != nil { // the evaluator catches exceptions of its own process
		return "", &orchestrator.EvalError{Node: node, Text: "what evaluated it was ended by a process that it is linked to: " + rpc.Error()}
	}
	if err != nil {
		return "", err
	}
	return evalResult(node, reply)
}

// evaluate returns a reply in the form that [evalResult] reads.
func evaluate(ctx context.Context, conn Link, expression string, o orchestrator.EvalOptions) (any, error) {
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
			raised := &orchestrator.EvalError{Node: node}
			raised.Text, _ = erldist.Text(inner[1])
			if len(inner) > 2 {
				raised.Trace, _ = erldist.Text(inner[2])
			}
			return "", raised
		}
	}
	return "", fmt.Errorf("%s: unexpected answer %s", node, erldist.Format(reply))
}
