package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// healthText formats a report for people: a line for each group, then what failed. Pure.
func healthText(r orchestrator.HealthReport, verbose bool, color func(string) string) string {
	var b strings.Builder
	for _, g := range health.Groups {
		fmt.Fprintf(&b, "%s %-12s  %s\n", groupMark(r.Of(g), color), g, groupFigures(r, g))
	}
	details := false
	for _, c := range r.Checks {
		if c.State == health.Failed || verbose {
			if !details {
				b.WriteByte('\n')
			}
			details = true
			writeCheck(&b, c, verbose, color)
		}
	}
	if !r.Matrix.Full() || verbose {
		b.WriteByte('\n')
		b.WriteString(r.Matrix.String())
	}
	b.WriteString(findingsText(r.Findings))
	if r.Passed {
		fmt.Fprintf(&b, "\n%s: %s (%s in %d ms)\n", r.Cluster, hint.Lines(r.Suggestions...), plural(r.Summary.Total, "check"), r.Took.Milliseconds())
	}
	return b.String()
}

// writeCheck writes a check in full: what it means, and what to do.
func writeCheck(b *strings.Builder, c health.Check, verbose bool, color func(string) string) {
	fmt.Fprintf(b, "%s %s", mark(c.State, color), printable(checkName(c)))
	between := ": "
	if c.Means != "" {
		fmt.Fprintf(b, "%s%s", between, printable(c.Means))
		between = "; "
	}
	if verbose && len(c.Figures) > 0 {
		fmt.Fprintf(b, "%s%s", between, figures(c.Figures))
	}
	b.WriteByte('\n')
	if c.State != health.Passed && len(c.Suggestion) > 0 {
		fmt.Fprintf(b, "  → %s\n", printable(c.Suggestion.String()))
	}
}

func mark(s health.State, color func(string) string) string {
	switch s {
	case health.Passed:
		return color("32") + "✓" + color("0")
	case health.Failed:
		return color("31") + "✗" + color("0")
	case health.Unknown:
		return color("33") + "?" + color("0")
	}
	return "?"
}

// groupMark is ✗ if any check failed, otherwise ? if any is unknown.
func groupMark(checks []health.Check, color func(string) string) string {
	worst := health.Passed
	for _, c := range checks {
		if c.State == health.Failed || c.State == health.Unknown && worst == health.Passed {
			worst = c.State
		}
	}
	return mark(worst, color)
}

func checkName(c health.Check) string {
	if c.Node == "" {
		return fmt.Sprintf("%s %s", c.Group, c.Name)
	}
	return fmt.Sprintf("%s %s", c.Node, c.Name)
}

// groupFigures summarizes a group in one line.
func groupFigures(r orchestrator.HealthReport, g health.Group) string {
	checks := r.Of(g)
	passed := 0
	for _, c := range checks {
		if c.State == health.Passed {
			passed++
		}
	}
	switch g {
	case health.Connectivity:
		return fmt.Sprintf("%d of %s %s%s", passed, plural(len(checks), "node"), answers(len(checks)), most(checks, "round trip"))
	case health.Formation:
		seen, all := pairs(r.Matrix)
		if all == 0 {
			return "a single node has no peers"
		}
		return fmt.Sprintf("%d of %s connected", seen, plural(all, "pair"))
	case health.Code:
		return codeFigures(checks)
	case health.Operations:
		return fmt.Sprintf("%d of %s passed", passed, plural(len(checks), "check"))
	case health.Performance:
		return strings.TrimPrefix(most(checks, "load")+most(checks, "waiting for each scheduler"), ", ")
	case health.Resources:
		return strings.TrimPrefix(most(checks, "memory")+most(checks, "processes")+most(checks, "files"), ", ")
	}
	return ""
}

func answers(nodes int) string {
	if nodes == 1 {
		return "answers"
	}
	return "answer"
}

// most formats the largest value of a figure over all nodes: ", memory up to 61.0 MiB". It
// shows the limit only if the value comes near it, so that a line fits into a terminal.
func most(checks []health.Check, name string) string {
	var top *health.Figure
	for _, c := range checks {
		for i, f := range c.Figures {
			if f.Name == name && (top == nil || f.Value > top.Value) {
				top = &c.Figures[i]
			}
		}
	}
	if top == nil {
		return ""
	}
	if top.Value < top.Limit/2 {
		return ", " + name + " up to " + value(top.Value, top.Unit)
	}
	return ", " + name + " up to " + figure(*top)
}

// pairs counts the pairs of nodes that see each other, and all pairs.
func pairs(m health.Matrix) (seen, all int) {
	for i := range m.Nodes {
		for j := range i {
			all++
			if m.Rows[i][j] == health.SeesVisible && m.Rows[j][i] == health.SeesVisible {
				seen++
			}
		}
	}
	return seen, all
}

// codeFigures formats the figures of the group's only check.
func codeFigures(checks []health.Check) string {
	if len(checks) == 0 {
		return ""
	}
	c := checks[0]
	switch {
	case c.State == health.Unknown:
		return c.Means
	case c.State == health.Passed && c.Means != "": // what was left out
		return figures(c.Figures) + ", " + c.Means
	}
	return figures(c.Figures)
}

func figures(all []health.Figure) string {
	texts := make([]string, len(all))
	for i, f := range all {
		name := strings.TrimPrefix(f.Name, "memory of ") // the kinds follow the total
		texts[i] = name + " " + figure(f)
	}
	return strings.Join(texts, ", ")
}

// figure formats a value with its unit, and its limit if it has one.
func figure(f health.Figure) string {
	text := value(f.Value, f.Unit)
	if f.Limit > 0 {
		text += " (limit " + value(f.Limit, f.Unit) + ")"
	}
	return text
}

func value(v float64, unit string) string {
	switch unit {
	case "bytes":
		return fmt.Sprintf("%.1f MiB", v/(1<<20))
	case "ms":
		return fmt.Sprintf("%.1f ms", v)
	case "%":
		return fmt.Sprintf("%.0f %%", v)
	}
	if v == math.Trunc(v) {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// findingsText formats findings with their solutions, each after an empty line.
func findingsText(findings []orchestrator.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "\n%s", printable(fmt.Sprint(f)))
		for line := range strings.Lines(f.Hint().String()) {
			fmt.Fprintf(&b, "\n  → %s", printable(strings.TrimSuffix(line, "\n")))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
