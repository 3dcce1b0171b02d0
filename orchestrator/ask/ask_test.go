package ask

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/beamyard/beamyard/orchestrator"
)

type evaluator func(ctx context.Context, node string) (string, error)

func (e evaluator) Eval(ctx context.Context, node, _ string, _ orchestrator.EvalOptions) (string, error) {
	return e(ctx, node)
}

// A node that hangs or fails does not delay the others.
func TestEveryone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := Everyone(t.Context(), evaluator(func(ctx context.Context, node string) (string, error) {
			switch node {
			case "n1":
				return `"` + "aGk=" + `"`, nil
			case "n2":
				<-ctx.Done()
				return "", ctx.Err()
			case "n3":
				return "", errors.New("no")
			}
			return `{:ok, 1}`, nil
		}), []string{"n1", "n2", "n3", "n4"}, "f()", "value")
		var text []string
		for _, a := range answers {
			if a.Err != nil {
				a.Text = a.Err.Error()
			}
			text = append(text, a.Node+": "+a.Text)
		}
		want := "n1: hi\nn2: no answer within 5s\nn3: no\nn4: unexpected answer {:ok, 1}"
		if got := strings.Join(text, "\n"); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	})
}

func TestUp(t *testing.T) {
	up := Up(orchestrator.Status{Nodes: []orchestrator.NodeStatus{
		{Name: "n1", State: orchestrator.Ready}, {Name: "n2", State: orchestrator.Degraded, Paused: true}, {Name: "n3", State: orchestrator.Degraded},
		{Name: "n4", State: orchestrator.BackingOff}, {Name: "n5", State: orchestrator.Running}, {Name: "n6", State: orchestrator.Stopping},
	}})
	if got := strings.Join(up, " "); got != "n1 n3 n5" {
		t.Errorf("%s", got)
	}
}
