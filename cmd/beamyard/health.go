package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator/health"
)

// watchEvery is how often --watch asks again.
const watchEvery = 2 * time.Second

// errUnhealthy reports that a check failed; stdout says which.
var errUnhealthy = errors.New("unhealthy")

type healthCmd struct {
	Name string `arg:"" optional:"" complete:"cluster" help:"Name of the cluster; required when there are several."`
	target
	Watch   bool `short:"w" help:"Repeat every 2 s, until Ctrl-C."`
	Verbose bool `short:"v" help:"Show every check with its figures, and the matrix of connections."`
}

func (healthCmd) Help() string {
	return `Checks every node over the Erlang distribution: whether it answers, sees the others,
runs the same code and its application, passes the checks of beamyard.yml, and how
busy and how near its limits it is.

✓ passed, ✗ failed, ? unknown. The exit code is 4 when a check failed. On a
terminal --watch redraws the report; otherwise it prints it again when an outcome
changes. --json with --watch prints a line each time.`
}

// Run prints a report, once or repeatedly.
func (c *healthCmd) Run(ctx context.Context, a *app) error {
	where := target{Cluster: cmp.Or(c.Name, c.Cluster)}
	r, err := where.connect(ctx, a, "health", nil)
	if err != nil {
		return err
	}
	defer r.close()
	if c.Watch {
		return c.watch(ctx, a, r)
	}
	report, err := r.health(ctx, a)
	if err != nil {
		return err
	}
	places := r.places(ctx, a)
	err = a.answer(report.Printed(), func(o *output) error {
		_, err := fmt.Fprint(o, healthText(report, c.Verbose, o.color)+places)
		return err
	})
	if err == nil && !report.Passed {
		err = fmt.Errorf("%s is %w: %s failed", r.cluster, errUnhealthy, plural(report.Summary.Failed, "check"))
	}
	return err
}

// watch repeats the report until ctx ends.
func (c *healthCmd) watch(ctx context.Context, a *app, r *connection) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	drawn, shown := 0, ""
	for {
		report, err := r.health(ctx, a)
		if err != nil {
			return err
		}
		text := healthText(report, c.Verbose, a.out.color) + r.places(ctx, a)
		switch {
		case a.json:
			err = a.printJSONLine(report.Printed())
		case a.out.terminal:
			drawn, err = redrawn(a.out, text, drawn)
		case outcomes(report.Report) != shown:
			shown = outcomes(report.Report)
			_, err = fmt.Fprintf(a.out, "%s\n%s\n", report.Time.Local().Format("2006-01-02 15:04:05"), text)
		}
		if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// redrawn replaces the previous text, which took the given number of lines, in one write.
func redrawn(o *output, text string, drawn int) (lines int, err error) {
	var b strings.Builder
	if drawn > 0 {
		fmt.Fprintf(&b, cursorUp, drawn)
	}
	for line := range strings.Lines(text) {
		if lines == o.height() {
			break // lines that have scrolled off the screen cannot be redrawn
		}
		b.WriteString(clipColored(strings.TrimSuffix(line, "\n"), o.width()) + eraseToLine + "\n")
		lines++
	}
	b.WriteString(eraseToEnd)
	_, err = o.Write([]byte(b.String()))
	return lines, err
}

// clipColored is [clip] for text with escape sequences: a coloured line that might be too long
// loses its colours.
func clipColored(text string, width int) string {
	if !strings.Contains(text, "\x1b") || len(text) <= width {
		return clip(text, width)
	}
	return clip(plainText(text), width)
}

// plainText removes the escape sequences of colours (ECMA-48 SGR).
func plainText(text string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(text, "\x1b[") {
		if b.Len() > 0 || strings.HasPrefix(text, "\x1b[") {
			if _, rest, ok := strings.Cut(part, "m"); ok {
				part = rest
			}
		}
		b.WriteString(part)
	}
	return b.String()
}

// outcomes returns the states of all checks: --watch reports when they change.
func outcomes(r health.Report) string {
	var b strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%s/%s/%s=%s\n", c.Group, c.Name, c.Node, c.State)
	}
	return b.String()
}
