package testsupport

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/logs"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// Output is a node's output over all its runs.
type Output struct {
	node *Node
	kept *logs.Output // nil if there is none
	err  error        // why
}

// Output returns the output of the node with a short name. If the cluster has no such
// node, every method of the Output reports that.
func (c *Cluster) Output(node string) *Output {
	o := &Output{node: c.Node(node)}
	if _, o.err = o.node.known(); o.err == nil {
		o.kept, o.err = c.core.Output(node)
	}
	return o
}

// Lines returns the last n lines that are kept, of both streams; 0 returns all of them.
func (o *Output) Lines(n int) []orchestrator.Line {
	if o.kept == nil {
		return nil
	}
	return o.kept.Tail(n)
}

// String returns all lines that are kept, as the node printed them.
func (o *Output) String() string {
	var b strings.Builder
	for _, l := range o.Lines(0) {
		if l.Stream != orchestrator.StreamSystem {
			b.WriteString(l.Text + "\n")
		}
	}
	return b.String()
}

// WaitLine returns the first line that matches a regular expression (RE2), among the
// lines that are kept and those printed later.
func (o *Output) WaitLine(ctx context.Context, expr string) (orchestrator.Line, error) {
	if o.err != nil {
		return orchestrator.Line{}, o.err
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return orchestrator.Line{}, err
	}
	var found orchestrator.Line
	errFound := errors.New("found")
	err = o.kept.Read(ctx, orchestrator.LogQuery{Follow: true}, func(l orchestrator.Line) error {
		if l.Stream == orchestrator.StreamSystem || !re.MatchString(l.Text) {
			return nil
		}
		found = l
		return errFound
	})
	switch {
	case errors.Is(err, errFound):
		return found, nil
	case ctx.Err() != nil:
		return found, fmt.Errorf("%s printed no line like %q: %w", o.node, expr, context.Cause(ctx))
	case err != nil:
		return found, err
	}
	return found, fmt.Errorf("%s printed no line like %q until its end", o.node, expr)
}

// lineTime is how long RequireLine waits for a line.
const lineTime = 10 * time.Second

// RequireLine returns the first line that matches a regular expression (RE2), among the
// lines that are kept and those printed within 10 s. Otherwise it ends the test with the
// node's last lines.
func (o *Output) RequireLine(tb testing.TB, expr string) orchestrator.Line {
	tb.Helper()
	ctx, cancel := context.WithTimeoutCause(tb.Context(), lineTime, fmt.Errorf("not within %s", lineTime))
	defer cancel()
	line, err := o.WaitLine(ctx, expr)
	if err != nil {
		tb.Fatalf("%s%s", hinted(err), excerpt(o.excerpt(excerptLines)))
	}
	return line
}

// excerptLines is how many of a node's last lines a failure shows.
const excerptLines = 20

// excerpt returns the last lines of a node without its secrets, those of stderr first.
func (o *Output) excerpt(n int) []string {
	if o.kept == nil {
		return nil
	}
	return o.kept.Excerpt(n, secrets.Redactor(o.node.cluster.Spec()).Replace)
}

func excerpt(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "\n  " + strings.Join(lines, "\n  ")
}
