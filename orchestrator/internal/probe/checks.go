package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// HTTPCheckTimeout is the timeout of [orchestrator.Spec].HTTPCheck.
const HTTPCheckTimeout = 2 * time.Second

// Checks runs a cluster's custom checks.
type Checks struct {
	Spec  orchestrator.Spec
	Addr  func(node string, port int) string // where a port inside a node can be dialled
	Eng   orchestrator.Engine
	Clean func(string) string // removes secrets from text
	// Said reports whether a line of the node's current run matched. Only checks of
	// [orchestrator.Spec].Ready use it: it may be nil if there are none.
	Said func(expr string) bool
}

// of returns the checks of a node, [orchestrator.Spec].HTTPCheck first.
func (o Checks) of(node string) []orchestrator.Check {
	var checks []orchestrator.Check
	n := o.Spec.Node(node)
	if n.HTTPCheck != "" {
		checks = append(checks, orchestrator.Check{Name: "HTTP check " + n.HTTPCheck, HTTP: n.HTTPCheck, Timeout: HTTPCheckTimeout})
	}
	return append(checks, n.Checks...)
}

// ready returns the checks that a node must pass once before it is Ready.
func (o Checks) ready(node string) []orchestrator.Check {
	return o.Spec.Node(node).Ready
}

// shown returns a check in printable form. Secrets are removed before any text is
// shortened or quoted: a part of a secret is no longer recognised.
func (o Checks) shown(k orchestrator.Check) orchestrator.Check {
	for _, text := range []*string{&k.Name, &k.HTTP, &k.RPC, &k.Erlang, &k.Expect, &k.Log} {
		*text = o.Clean(*text)
	}
	k.Exec = slices.Clone(k.Exec)
	for i, word := range k.Exec {
		k.Exec[i] = o.Clean(word)
	}
	return k
}

// brief returns a text on one line, without secrets.
func (o Checks) brief(text string) string { return oneLine(o.Clean(text), 200) }

// run runs one check on one node. A check that cannot be run has crashed.
func (o Checks) run(ctx context.Context, k orchestrator.Check, node string, conn Link) (result health.Outcome) {
	began := time.Now()
	limited, cancel := within(ctx, k.Limit())
	defer cancel()
	deadline, _ := limited.Deadline()
	defer func() {
		if why := recover(); why != nil {
			result = health.Outcome{Failure: fmt.Sprintf("the check itself crashed: %v", why), Crashed: true}
		}
		// On a busy machine the timer of the limit can come after the guard's kill has
		// arrived: then the clock tells that the time was up.
		late := limited.Err() != nil || !time.Now().Before(deadline)
		if result.Failure != "" && late && ctx.Err() == nil {
			result.Failure, result.Crashed = fmt.Sprintf("no result within %s", k.Limit()), false
			if had := deadline.Sub(began); had < k.Limit() { // then its result is unknown
				result.Failure, result.Crashed = fmt.Sprintf("no result within %s: it may take %s, but the caller does not wait any longer", had.Round(time.Millisecond), k.Limit()), true
			}
		}
		result.Name, result.Took = o.shown(k).String(), time.Since(began)
		result.Failure, result.Hint = o.Clean(result.Failure), result.Hint.Map(o.Clean)
	}()
	switch {
	case k.HTTP != "":
		return o.http(limited, k, node)
	case k.RPC != "":
		return o.rpc(limited, k, node, conn)
	case k.Erlang != "":
		return o.erlang(limited, k, node, conn)
	case k.Log != "":
		return o.log(k, node)
	}
	return o.exec(limited, k, node)
}

// guard kills the evaluator's process when its time is up: the rpc server starts one for
// each call, and lets it run when the caller is gone, forever if it waits forever.
// timer:kill_after/2 would leave OTP's timer server behind. The guard waits longer than
// we do, by guardSlack, because otherwise its kill would be reported as the check's
// result. It ends with the process that it guards.
const guard = `
guarded = self()
spawn(fn ->
  ended = Process.monitor(guarded)
  receive do
    {:DOWN, ^ended, _, _, _} -> :ok
  after
    timeout -> Process.exit(guarded, :kill)
  end
end)
`

const guardSlack = time.Second

func (o Checks) http(ctx context.Context, k orchestrator.Check, node string) health.Outcome {
	inside := o.Spec.Node(node).HTTPPort
	port := fmt.Sprintf("$PORT (%d)", inside)
	if k.Port != 0 {
		inside, port = k.Port, strconv.Itoa(k.Port)
	}
	err := httpCheck(ctx, o.Addr(node, inside), k.HTTP)
	if errors.As(err, new(statusError)) {
		return health.Outcome{
			Failure: err.Error(), Answered: true,
			Hint: hint.Newf("%s must answer with 2xx or 3xx: see what the application prints, or give another path: %s", k.HTTP, hint.Setting("http_check")),
		}
	}
	if err != nil {
		return health.Outcome{
			Failure: err.Error(),
			Hint:    hint.Newf("the application must listen on port %s of every address, and answer %s with 2xx or 3xx", port, k.HTTP),
		}
	}
	return health.Outcome{}
}

// statusError is the status of an HTTP answer that is not 2xx or 3xx: "404 Not Found".
type statusError string

func (e statusError) Error() string { return "answered " + string(e) }

// erlangGuard and erlangPrint are [guard] and [evaluator] for Erlang: the expressions go
// in the middle, and the result is their value as ~0p prints it on one line.
const erlangGuard, erlangPrint = `(fun(Guarded) -> spawn(fun() -> Ended = monitor(process, Guarded), receive {'DOWN', Ended, _, _, _} -> ok after BeamyardTimeout -> exit(Guarded, kill) end end) end)(self()), unicode:characters_to_binary(io_lib:format("~0tp", [begin `,
	` end])).`

func (o Checks) erlang(ctx context.Context, k orchestrator.Check, node string, conn Link) health.Outcome {
	next := hint.Newf("look at it: %s", hint.Tail.On(o.Spec.Name, node))
	expressions := strings.TrimSuffix(strings.TrimSpace(k.Erlang), ".")
	reply, err := conn.Eval(ctx, erlangGuard+expressions+erlangPrint, map[string]any{"BeamyardTimeout": (k.Limit() + guardSlack).Milliseconds()})
	if err != nil { // an exception, or a syntax error
		return health.Outcome{Failure: o.brief(err.Error()), Hint: next, Crashed: !errors.As(err, new(*erldist.RPCError))}
	}
	value, _ := erldist.Text(reply)
	no := value == "false" || value == "undefined" || value == "error" || strings.HasPrefix(value, "{error,")
	switch {
	case k.Expect == "" && no:
		return health.Outcome{Failure: "it is " + o.brief(value), Hint: next}
	case k.Expect != "" && value != strings.TrimSpace(k.Expect):
		return health.Outcome{Failure: fmt.Sprintf("it is %s, not %s", o.brief(value), o.shown(k).Expect), Hint: next}
	}
	return health.Outcome{}
}

func (o Checks) log(k orchestrator.Check, node string) health.Outcome {
	if o.Said(k.Log) {
		return health.Outcome{}
	}
	return health.Outcome{
		Failure: "no line of this run matches " + oneLine(o.shown(k).Log, 60),
		Hint:    hint.Newf("see what it prints: %s", hint.Tail.On(o.Spec.Name, node)),
	}
}

func (o Checks) rpc(ctx context.Context, k orchestrator.Check, node string, conn Link) health.Outcome {
	next := hint.Newf("try it: %s", hint.Eval.On(o.Spec.Name, node).With(o.shown(k).RPC))
	reply, err := conn.Call(ctx, "Elixir.Code", "eval_string", guard+evaluator, erldist.List{
		erldist.Tuple{erldist.Atom("code"), k.RPC}, erldist.Tuple{erldist.Atom("timeout"), (k.Limit() + guardSlack).Milliseconds()},
	})
	if err != nil {
		return health.Outcome{Failure: err.Error(), Hint: next, Crashed: true}
	}
	value, err := evalResult(node, reply)
	var raised *orchestrator.EvalError
	switch {
	case errors.As(err, &raised):
		return health.Outcome{Failure: o.brief(raised.Text), Hint: next}
	case err != nil:
		return health.Outcome{Failure: err.Error(), Hint: next, Crashed: true}
	case k.Expect == "" && (value == "nil" || value == "false"):
		return health.Outcome{Failure: "it is " + value, Hint: next}
	case k.Expect != "" && value != strings.TrimSpace(k.Expect):
		return health.Outcome{Failure: fmt.Sprintf("it is %s, not %s", o.brief(value), o.shown(k).Expect), Hint: next}
	}
	return health.Outcome{}
}

func (o Checks) exec(ctx context.Context, k orchestrator.Check, node string) health.Outcome {
	container := o.Spec.Names().Container(node)
	next := hint.Newf("try it: docker exec %s %s", container, shellWords(o.shown(k).Exec))
	result, err := orchestrator.Command(ctx, o.Eng, container, k.Exec)
	switch {
	case err != nil:
		return health.Outcome{Failure: err.Error(), Hint: next, Crashed: true}
	case result.ExitCode != 0:
		said := strings.TrimSpace(result.Stderr)
		if said == "" {
			said = strings.TrimSpace(result.Stdout)
		}
		failure := fmt.Sprintf("exit code %d", result.ExitCode)
		if said != "" {
			failure += ": " + o.brief(said)
		}
		return health.Outcome{Failure: failure, Hint: next}
	}
	return health.Outcome{}
}

// shellWords returns a command quoted for a shell.
func shellWords(command []string) string {
	words := make([]string, len(command))
	for i, w := range command {
		if w == "" || strings.ContainsAny(w, " \t\n'\"\\$`|&;<>()*?[]{}~#!") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words[i] = w
	}
	return strings.Join(words, " ")
}

// oneLine returns the text on one line, cut to at most n characters.
func oneLine(text string, n int) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return string(runes)
}
