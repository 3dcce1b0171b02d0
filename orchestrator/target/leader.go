package target

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/ask"
)

// render returns the name of the node of a value, "" for none, and for any other value a text
// that begins with a newline.
const render = `case value do
  nil -> ""
  :undefined -> ""
  pid when is_pid(pid) -> to_string(node(pid))
  {name, node} when is_atom(name) and is_atom(node) -> to_string(node)
  name when is_atom(name) or is_binary(name) -> to_string(name)
  other -> "\n" <> inspect(other, limit: 10, printable_limit: 4096)
end`

// Ask asks all nodes that can answer for the leader: see [Leader] and [ask.Up].
func Ask(ctx context.Context, e ask.Evaluator, st orchestrator.Status, expression string) []ask.Answer {
	return ask.Everyone(ctx, e, ask.Up(st), expression, render)
}

// Leader returns the short name of the leader, if all answers of [Ask] name it. Otherwise the
// error says which node said what, without the secrets, which clean removes.
func Leader(st orchestrator.Status, expression string, answers []ask.Answer, clean func(string) string) (string, error) {
	var said []string
	leaders, failed := Leaders(st, answers)
	for _, a := range answers {
		said = append(said, a.Node+" says "+opinion(st, a, clean))
	}
	switch {
	case len(answers) == 0:
		return "", fmt.Errorf("@leader:%s: no node that could answer is running", expression)
	case failed || len(leaders) > 1:
		return "", fmt.Errorf("@leader:%s: the nodes do not name one leader: %s", expression, strings.Join(said, "; "))
	case leaders[0] == "":
		return "", fmt.Errorf("@leader:%s: there is no leader: %s", expression, strings.Join(said, "; "))
	}
	return leaders[0], nil
}

// Names returns the leader by the node that names it: a short name, and "" for none. Answers that
// name no node are left out.
func Names(st orchestrator.Status, answers []ask.Answer) map[string]string {
	names := map[string]string{}
	for _, a := range answers {
		if name, err := node(st, a); err == nil {
			names[a.Node] = name
		}
	}
	return names
}

// Leaders returns the different answers, sorted: short names, and "" for none. Answers that name
// no node are left out, and failed says that there are such.
func Leaders(st orchestrator.Status, answers []ask.Answer) (leaders []string, failed bool) {
	for _, a := range answers {
		name, err := node(st, a)
		if err != nil {
			failed = true
		} else if !slices.Contains(leaders, name) {
			leaders = append(leaders, name)
		}
	}
	slices.Sort(leaders)
	return leaders, failed
}

// node returns the short name of the node that an answer names, or "" if it names none.
func node(st orchestrator.Status, a ask.Answer) (string, error) {
	switch {
	case a.Err != nil:
		return "", a.Err
	case a.Text == "":
		return "", nil
	}
	for _, n := range st.Nodes {
		if a.Text == n.Name || a.Text == n.Node || a.Text == n.Host {
			return n.Name, nil
		}
	}
	text, odd := strings.CutPrefix(a.Text, "\n")
	if odd {
		return "", &oddAnswer{text, "which is not a node, a pid or {name, node}"}
	}
	return "", &oddAnswer{text, "which is not a node of the cluster"}
}

// oddAnswer is an answer that names no node.
type oddAnswer struct{ text, why string }

func (e *oddAnswer) Error() string { return e.text + ", " + e.why }

// opinion is an answer in a sentence.
func opinion(st orchestrator.Status, a ask.Answer, clean func(string) string) string {
	name, err := node(st, a)
	var raised *orchestrator.EvalError
	var odd *oddAnswer
	switch {
	case errors.As(err, &raised):
		return ask.Brief(raised.Text, clean)
	case errors.As(err, &odd):
		return ask.Brief(odd.text, clean) + ", " + odd.why
	case err != nil:
		return ask.Brief(err.Error(), clean)
	case name == "":
		return "nil"
	}
	return name
}
