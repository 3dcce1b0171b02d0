package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/beamyard/beamyard/cmd/beamyard/internal/show"
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
	hosts := slices.ContainsFunc(all, func(s orchestrator.Status) bool {
		return slices.ContainsFunc(s.Nodes, func(n orchestrator.NodeStatus) bool { return n.On != "" })
	})
	if hosts {
		header = slices.Insert(header, 1, "HOST")
	}
	images := slices.ContainsFunc(all, func(s orchestrator.Status) bool {
		return slices.ContainsFunc(s.Nodes, func(n orchestrator.NodeStatus) bool { return n.Image != "" })
	})
	if images {
		header = append(header, "IMAGE")
	}
	if withCluster {
		header = append([]string{"CLUSTER"}, header...)
	}
	var rows [][]cell
	head := make([]cell, len(header))
	for i, h := range header {
		head[i] = cell{h, "1"}
	}
	rows = append(rows, head)
	var remarks []remark
	for _, s := range all {
		for _, n := range s.Nodes {
			row := []cell{
				{n.Name, ""}, stateCell(s, n, now), {orDash(n.URL), ""}, {orDash(portsText(n.Ports)), ""},
				{orDash(ipText(n)), ""}, {n.Container, ""}, {orDash(show.Uptime(n, now)), ""}, {strconv.Itoa(n.RestartCount), ""},
			}
			label := n.Name
			if hosts {
				row = slices.Insert(row, 1, cell{orDash(n.On), ""})
			}
			if images {
				row = append(row, cell{imageText(cmp.Or(n.Image, s.Image)), ""})
			}
			if withCluster {
				row = append([]cell{{s.Cluster, ""}}, row...)
				label = s.Cluster + "/" + n.Name
			}
			rows = append(rows, row)
			if n.Reason != "" && n.State != orchestrator.Ready && s.Supervised {
				remarks = noted(remarks, label, n.Reason, "")
			}
			if why := whyShort(n); why != "" {
				remarks = noted(remarks, label, why, fmt.Sprintf("; beamyard inspect %s/%s", s.Cluster, n.Name))
			}
		}
		if len(s.Nodes) == 0 && withCluster {
			rows = append(rows, []cell{{s.Cluster, ""}, {"-", ""}, {"no nodes", "2"}})
		}
	}
	if err := writeTable(o, o.color, rows); err != nil {
		return err
	}
	for _, r := range remarks {
		fmt.Fprintln(a.err, printable(strings.Join(r.nodes, ", ")+": "+r.text+r.next))
	}
	return nil
}

// remark is a line below the table, about one node or several.
type remark struct {
	nodes      []string
	text, next string // next is a command that shows more of the first node
}

// noted adds a remark, or the node to one with the same text.
func noted(remarks []remark, node, text, next string) []remark {
	for i := range remarks {
		if remarks[i].text == text {
			remarks[i].nodes = append(remarks[i].nodes, node)
			return remarks
		}
	}
	return append(remarks, remark{[]string{node}, text, next})
}

// imageText returns an image as a table shows it: an ID as short as the engine's.
func imageText(image string) string {
	if id, ok := strings.CutPrefix(image, "sha256:"); ok {
		return id[:min(len(id), 12)]
	}
	return image
}

// whyShort returns what is wrong with a node, in one line; "" if nothing is known.
func whyShort(n orchestrator.NodeStatus) string {
	roots := orchestrator.RootCauses(n.Findings)
	if len(roots) == 0 {
		return ""
	}
	more := ""
	if len(roots) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(roots)-1)
	}
	return fmt.Sprintf("why: %s%s", roots[0], more)
}

// stateCell describes a node's state in a few words.
func stateCell(s orchestrator.Status, n orchestrator.NodeStatus, now time.Time) cell {
	text, color := show.State(s, n, now)
	return cell{text, color}
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

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
