package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/beamyard/beamyard/network/erldist"
)

// EvalError is an exception that an expression raised on a node.
type EvalError struct {
	Node string
	Text string // as Elixir prints it
}

func (e *EvalError) Error() string { return fmt.Sprintf("%s: %s", e.Node, e.Text) }

// evaluator runs on the node: it keeps the value there, so that what cannot
// travel (a function, a resource) is printed too, and gives back text.
const evaluator = `
try do
  {value, _} = Code.eval_string(code, [], file: "rpc")
  {:ok, inspect(value, pretty: true, limit: :infinity, printable_limit: :infinity, width: 98)}
catch
  kind, reason -> {:error, Exception.format_banner(kind, reason, __STACKTRACE__)}
end
`

// Eval evaluates an Elixir expression on a node, over native RPC as a hidden
// node: nothing is started in the container, and the node's peers do not see
// it. What the expression prints is streamed to out; the result is what
// `inspect` makes of its value. An exception is an [EvalError]. It needs no
// supervisor: the cookie comes from the cluster's labels.
func Eval(ctx context.Context, eng Engine, cluster, node, expression string, out io.Writer) (string, error) {
	f, err := Find(ctx, eng, cluster)
	if err != nil {
		return "", err
	}
	n, ok := f.Node(node)
	if !ok {
		return "", newSupervisor(f.Spec, nil).noNode(node)
	}
	if !n.State.Running() {
		return "", WithHint(fmt.Errorf("%s: %w (%s)", node, ErrNotRunning, n.Reason), "beamyard start %s", node)
	}
	info, err := eng.Info(ctx)
	if err != nil {
		return "", err
	}
	at := f.site(info)
	conn, err := (&erldist.Dialer{Cookie: f.Spec.Cookie}).Dial(ctx, n.Node, at.distAddr(node))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()

	reply, err := conn.CallOutput(ctx, out, "Elixir.Code", "eval_string", evaluator,
		erldist.List{erldist.Tuple{erldist.Atom("code"), expression}})
	if err != nil {
		var rpc *erldist.RPCError
		if errors.As(err, &rpc) && strings.Contains(err.Error(), "undef") {
			return "", WithHint(err, "the node runs no Elixir: an expression needs it")
		}
		return "", err
	}
	return evalResult(node, reply)
}

// evalResult reads {{:ok | :error, text}, binding}.
func evalResult(node string, reply any) (string, error) {
	if outer, ok := reply.(erldist.Tuple); ok && len(outer) == 2 {
		if inner, ok := outer[0].(erldist.Tuple); ok && len(inner) == 2 {
			text, _ := erldist.Text(inner[1])
			if inner[0] == erldist.Atom("error") {
				return "", &EvalError{Node: node, Text: text}
			}
			return text, nil
		}
	}
	return "", fmt.Errorf("%s: unexpected answer %s", node, erldist.Format(reply))
}
