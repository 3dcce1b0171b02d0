package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/beamyard/beamyard/orchestrator"
)

// cell is a field of a table. Its colour does not count as width, which rules out
// text/tabwriter.
type cell struct{ text, color string }

// writeTable pads columns to their widest cell, two spaces apart.
func writeTable(w io.Writer, color func(string) string, rows [][]cell) error {
	rows = printableRows(rows)
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, c := range row {
			on, off := "", ""
			if c.color != "" {
				on, off = color(c.color), color("0")
			}
			b.WriteString(on + c.text + off)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printableRows makes all fields printable, each on one line.
func printableRows(rows [][]cell) [][]cell {
	safe := make([][]cell, len(rows))
	for i, row := range rows {
		safe[i] = slices.Clone(row)
		for j := range row {
			safe[i][j].text = printable(row[j].text)
		}
	}
	return safe
}

// printNodes writes the table of the nodes of one cluster, or of several with their names, and
// a line for each node that is not Ready.
func (a *app) printNodes(o *output, all []orchestrator.Status, withCluster bool) error {
	now := a.now()
	header := []string{"NODE", "STATE", "URL", "PORTS", "IP", "CONTAINER", "UPTIME", "RESTARTS"}
	if withCluster {
		header = append([]string{"CLUSTER"}, header...)
	}
	var rows [][]cell
	head := make([]cell, len(header))
	for i, h := range header {
		head[i] = cell{h, "1"}
	}
	rows = append(rows, head)
	var remarks []string
	for _, s := range all {
		for _, n := range s.Nodes {
			row := []cell{
				{n.Name, ""}, stateCell(s, n, now), {orDash(n.URL), ""}, {orDash(portsText(n.Ports)), ""},
				{orDash(ipText(n)), ""}, {n.Container, ""}, {orDash(uptime(n, now)), ""}, {strconv.Itoa(n.RestartCount), ""},
			}
			label := n.Name
			if withCluster {
				row = append([]cell{{s.Cluster, ""}}, row...)
				label = s.Cluster + "/" + n.Name
			}
			rows = append(rows, row)
			if n.Reason != "" && n.State != orchestrator.Ready && s.Supervised {
				remarks = append(remarks, fmt.Sprintf("%s: %s", label, n.Reason))
			}
			remarks = append(remarks, whyShort(label, s.Cluster, n)...)
		}
		if len(s.Nodes) == 0 && withCluster {
			rows = append(rows, []cell{{s.Cluster, ""}, {"-", ""}, {"no nodes", "2"}})
		}
	}
	if err := writeTable(o, o.color, rows); err != nil {
		return err
	}
	for _, r := range remarks {
		fmt.Fprintln(a.err, printable(r))
	}
	return nil
}

// whyShort returns what is wrong with a node, in one line, and the command that shows more.
func whyShort(label, cluster string, n orchestrator.NodeStatus) []string {
	roots := orchestrator.RootCauses(n.Findings)
	if len(roots) == 0 {
		return nil
	}
	more := ""
	if len(roots) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(roots)-1)
	}
	return []string{fmt.Sprintf("%s: why: %s%s; beamyard inspect %s/%s", label, roots[0], more, cluster, n.Name)}
}

// stateCell describes a node's state in a few words.
func stateCell(s orchestrator.Status, n orchestrator.NodeStatus, now time.Time) cell {
	text := string(n.State)
	if text != "" {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if n.Paused {
		return cell{"Paused", "33"}
	}
	switch n.State {
	case orchestrator.Ready:
		return cell{text, "32"}
	case orchestrator.BackingOff:
		text = strings.TrimSpace("BACKOFF " + n.Restarts)
		if wait := n.NextRestartAt.Sub(now); !n.NextRestartAt.IsZero() {
			text += fmt.Sprintf(", next in %ds", max(0, int(wait.Round(time.Second).Seconds())))
		}
		return cell{text + endText(n.LastExit), "33"}
	case orchestrator.Failed:
		return cell{text + endText(n.LastExit), "31"}
	case orchestrator.Degraded:
		return cell{text, "33"}
	case orchestrator.Running:
		return cell{text + " (unsupervised)", "33"}
	case orchestrator.Pending, orchestrator.Creating, orchestrator.Starting, orchestrator.Stopping:
		return cell{text, "36"}
	case orchestrator.Stopped, orchestrator.Completed:
		text += endText(n.LastExit)
		if !s.Supervised {
			text += " (unsupervised)"
		}
		return cell{text, "2"}
	}
	return cell{text, ""}
}

// endText describes how a run ended if the state does not say so: ", oom".
func endText(e *orchestrator.Exit) string {
	if e == nil {
		return ""
	}
	switch e.Class {
	case orchestrator.ExitStopped, orchestrator.ExitCompleted:
		return ""
	case orchestrator.ExitCrashed, orchestrator.ExitBoot:
		return fmt.Sprintf(", %s (exit %d)", e.Class, e.Code)
	case orchestrator.ExitKilled, orchestrator.ExitOOM, orchestrator.ExitStoppedOutside, orchestrator.ExitRemoved, orchestrator.ExitStartError:
		return ", " + string(e.Class)
	}
	return ""
}

// portsText formats "4200→4000, 4300→9568": host port, container port.
func portsText(ports []orchestrator.PortStatus) string {
	texts := make([]string, len(ports))
	for i, p := range ports {
		texts[i] = fmt.Sprintf("%d→%d", p.Host, p.Container)
	}
	return strings.Join(texts, ", ")
}

func ipText(n orchestrator.NodeStatus) string {
	if !n.IP.IsValid() {
		return ""
	}
	return n.IP.String()
}

// uptime is the duration of the current run, or "" without one.
func uptime(n orchestrator.NodeStatus, now time.Time) string {
	if !n.State.Running() || n.StartedAt.IsZero() {
		return ""
	}
	return span(now.Sub(n.StartedAt))
}

// span formats a duration with its two largest units: "12s", "3m05s", "2h10m", "4d03h".
func span(d time.Duration) string {
	s := max(0, int(d.Seconds()))
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
