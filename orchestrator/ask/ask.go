package ask

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// Evaluator evaluates an expression on a node. An [orchestrator.Controller] does.
type Evaluator interface {
	Eval(ctx context.Context, node, expression string, o orchestrator.EvalOptions) (string, error)
}

// Answer is what one node said.
type Answer struct {
	Node string
	Text string // rendered; undefined if Err is set
	Err  error  // why there is no text
}

// Patience is how long a node may take to answer. The evaluation is killed then.
const Patience = 5 * time.Second

// Everyone evaluates an Elixir expression on nodes at once, and returns their answers in the
// order of the nodes. render is Elixir that returns the text of the variable value. A node that
// does not answer within [Patience] has an error.
func Everyone(ctx context.Context, e Evaluator, nodes []string, expression, render string) []Answer {
	question := fmt.Sprintf("value = (\n%s\n)\nBase.encode64(%s)", expression, render)
	answers := make([]Answer, len(nodes))
	var group sync.WaitGroup
	for i, node := range nodes {
		group.Go(func() {
			asking, cancel := context.WithTimeout(ctx, Patience)
			defer cancel()
			text, err := e.Eval(asking, node, question, orchestrator.EvalOptions{File: "expression"})
			if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				err = fmt.Errorf("no answer within %s", Patience)
			}
			if err == nil {
				text, err = decoded(text)
			}
			answers[i] = Answer{Node: node, Text: text, Err: err}
		})
	}
	group.Wait()
	return answers
}

// Brief returns what a node said, or why it did not, as a part of a message: without secrets, and not
// longer than a few lines. It is cut after clean has removed the secrets: a part of one would not
// be recognised.
func Brief(text string, clean func(string) string) string {
	const longest = 300
	text = clean(text)
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

const syncNames = `[rpc:call(N, M, F, [], 4000) || N <- [node() | nodes()], {M, F} <- [{global, sync}, {net_kernel, get_net_ticktime}]], ok.`

// SyncNames makes global of each of these nodes agree on names with the nodes that it is connected
// to. After it, each has handled what the others told of connections that were lost before, and
// has disconnected what it disconnects because of that. A node that does not answer within
// [Patience] is left out.
//
// Each node asks its own global first, which has then told the others of its losses, and the others'
// afterwards, over the connection that its messages to them took. Global has net_kernel disconnect
// nodes, so that is asked something too. Source: global:sync/0, prevent_overlapping_partitions of
// kernel(6).
func SyncNames(ctx context.Context, e Evaluator, nodes []string) {
	var group sync.WaitGroup
	for _, node := range nodes {
		group.Go(func() {
			asking, cancel := context.WithTimeout(ctx, Patience)
			defer cancel()
			_, _ = e.Eval(asking, node, syncNames, orchestrator.EvalOptions{Erlang: true})
		})
	}
	group.Wait()
}

// decoded returns the text of an answer, which is base64 in quotes.
func decoded(answer string) (string, error) {
	text, err := base64.StdEncoding.DecodeString(strings.Trim(answer, `"`))
	if err != nil {
		return "", fmt.Errorf("unexpected answer %.80s", answer)
	}
	return string(text), nil
}

// Up returns the names of the nodes that can answer: those that run and are not paused.
func Up(st orchestrator.Status) []string {
	var up []string
	for _, n := range st.Nodes {
		if n.State.Running() && n.State != orchestrator.Stopping && !n.Paused {
			up = append(up, n.Name)
		}
	}
	return up
}
