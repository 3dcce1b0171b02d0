package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/orchestrator/doctor"
)

type doctorCmd struct{}

func (doctorCmd) Help() string {
	return `A line for each thing: ✓ fine, ! will not work or not well, ✗ must be mended
before a cluster starts, ? cannot be told; below it what to type.

It starts a helper container for a moment, made of this program, to see what
nodes would see, and leaves nothing but that container's image. It changes nothing.
Warnings do not fail: the exit code is 5 only where nothing can run at all.`
}

// Run examines this machine and its engine.
func (doctorCmd) Run(ctx context.Context, a *app) error {
	opts := doctor.Options{}
	if eng, err := docker.New(docker.Options{}); err != nil {
		opts.NoEngine = err
	} else {
		defer eng.Close()
		opts.Engine = eng
	}
	report := doctor.Examine(ctx, opts)
	if ctx.Err() != nil {
		return errInterrupted // half of it was not looked at
	}
	if a.json {
		if err := a.printJSON(report); err != nil {
			return err
		}
		return report.Err()
	}
	if err := printReport(a.out, a.out.color, report); err != nil {
		return err
	}
	return report.Err()
}

// printReport writes the list and, where something can run, the last word;
// where nothing can, the error is it.
func printReport(w io.Writer, color func(string) string, r doctor.Report) error {
	width := 0
	for _, c := range r.Checks {
		width = max(width, utf8.RuneCountInString(c.Title))
	}
	var b strings.Builder
	for _, c := range r.Checks {
		sign, code := sign(c.State)
		pad := strings.Repeat(" ", width-utf8.RuneCountInString(c.Title))
		fmt.Fprintf(&b, "%s%s%s %s%s  %s\n", color(code), sign, color("0"), c.Title, pad, c.Text)
		for line := range strings.Lines(c.Remedy) {
			fmt.Fprintf(&b, "%s%s→ %s%s\n", strings.Repeat(" ", width+4), color("36"), strings.TrimRight(line, "\n"), color("0"))
		}
	}
	if r.Usable {
		fmt.Fprintf(&b, "\n%s\n", lastWord(r))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func sign(s doctor.State) (sign, color string) {
	switch s {
	case doctor.OK:
		return "✓", "32"
	case doctor.Warning:
		return "!", "33"
	case doctor.Failed:
		return "✗", "31"
	case doctor.Unknown:
		return "?", "2"
	}
	return " ", ""
}

// lastWord sums up a report of a machine on which something can run.
func lastWord(r doctor.Report) string {
	failures, warnings, unknown := r.Count(doctor.Failed), r.Count(doctor.Warning), r.Count(doctor.Unknown)
	var notes []string
	for _, n := range []struct {
		count int
		noun  string
	}{{failures, "failure"}, {warnings, "warning"}} {
		if n.count > 0 {
			notes = append(notes, plural(n.count, n.noun))
		}
	}
	if unknown > 0 {
		notes = append(notes, fmt.Sprintf("%d unknown", unknown))
	}
	switch {
	case failures > 0:
		return "not ready: " + strings.Join(notes, ", ") + "; mend what is marked ✗ first"
	case len(notes) > 0:
		return "usable, " + strings.Join(notes, ", ") + ": beamyard up"
	}
	return "ready: beamyard up"
}
