package check

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/ask"
)

// ErrFailed is matched by the error of a check that does not hold.
var ErrFailed = errors.New("a check failed")

// Kind says how the nodes' answers are judged.
type Kind string

// The kinds of checks.
const (
	Unique Kind = "unique" // at most one process for each name
	Agree  Kind = "agree"  // the same value on all nodes
	True   Kind = "true"   // true on all nodes
)

// Check is what should be true of a cluster.
type Check struct {
	Kind       Kind   `json:"kind"`
	Expression string `json:"expression"` // Elixir
}

// Parse parses "unique: EXPR", "agree: EXPR" or "EXPR".
func Parse(text string) (Check, error) {
	c := Check{Kind: True, Expression: strings.TrimSpace(text)}
	for _, kind := range []Kind{Unique, Agree} {
		if rest, ok := strings.CutPrefix(c.Expression, string(kind)+":"); ok {
			c = Check{kind, strings.TrimSpace(rest)}
			break
		}
	}
	if c.Expression == "" {
		return c, fmt.Errorf("%q has no expression", text)
	}
	return c, nil
}

// String returns the check as it is written.
func (c Check) String() string {
	if c.Kind == True {
		return c.Expression
	}
	return string(c.Kind) + ": " + c.Expression
}

// Failed is a check that does not hold. It matches [ErrFailed].
type Failed struct {
	Check Check
	Why   string // which node said what
}

func (f *Failed) Error() string { return fmt.Sprintf("check %s: %s", f.Check, f.Why) }

// Unwrap returns [ErrFailed].
func (*Failed) Unwrap() error { return ErrFailed }

// Holds asks these nodes, and returns nil if all checks hold. Otherwise it joins a [Failed] for
// each that does not. clean removes the secrets from what nodes say.
func Holds(ctx context.Context, e ask.Evaluator, clean func(string) string, nodes []string, checks ...Check) error {
	var errs []error
	for _, c := range checks {
		errs = append(errs, c.Judge(ask.Everyone(ctx, e, nodes, c.Expression, renders[c.Kind]), clean))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(errs...)
}

// renders turn the value of a check's expression into the text that its judge reads. What
// identifies a value must not depend on the OTP release of the node: up to OTP 25, atoms are Latin-1
// in a term unless its minor version is 2.
var renders = map[Kind]string{
	// Each line has a name, its process, and what identifies that process on all nodes, in
	// base64. A pid is printed as on its own node.
	Unique: `Enum.flat_map(value, fn
  {name, held} when is_list(held) -> for one <- held, do: {name, one}
  {name, held} -> [{name, held}]
  {name, held, _} -> [{name, held}]
end)
|> Enum.map_join("\n", fn {name, held} ->
  text =
    if is_pid(held) do
      "#PID" <> Regex.replace(~r/^<\d+/, to_string(:erlang.pid_to_list(held)), "<0") <> " of #{node(held)}"
    else
      inspect(held, limit: 10, printable_limit: 100)
    end

  [inspect(name, limit: :infinity, printable_limit: :infinity), text, :erlang.md5(:erlang.term_to_binary(held, [:deterministic, minor_version: 2]))]
  |> Enum.map_join(" ", &Base.encode64/1)
end)`,
	// The first line identifies the value on all nodes.
	Agree: `Base.encode16(:erlang.md5(:erlang.term_to_binary(value, [:deterministic, minor_version: 2]))) <> "\n" <> inspect(value, limit: 20, printable_limit: 4096)`,
	True:  `inspect(value, limit: 20, printable_limit: 4096)`,
}

// Judge returns nil if the answers to a check's expression say that it holds. clean removes the
// secrets from the error: values are compared as they are.
func (c Check) Judge(answers []ask.Answer, clean func(string) string) error {
	show := func(text string) string { return ask.Brief(text, clean) }
	var why []string
	for _, a := range answers {
		if a.Err != nil {
			why = append(why, fmt.Sprintf("%s: %s", a.Node, show(reason(a.Err))))
		}
	}
	switch {
	case len(answers) == 0:
		why = []string{"no node that could answer is running"}
	case len(why) > 0:
	case c.Kind == Unique:
		why = doubles(answers, show)
	case c.Kind == Agree:
		why = opinions(answers, show)
	default:
		for _, a := range answers {
			if a.Text != "true" {
				why = append(why, fmt.Sprintf("%s says %s", a.Node, show(a.Text)))
			}
		}
	}
	if len(why) == 0 {
		return nil
	}
	return &Failed{c, strings.Join(why, "; ")}
}

// reason is the message of an error without a stack trace.
func reason(err error) string {
	var raised *orchestrator.EvalError
	if errors.As(err, &raised) {
		return raised.Text
	}
	return err.Error()
}
