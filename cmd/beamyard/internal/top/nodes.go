package top

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/cmd/beamyard/internal/show"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/charmbracelet/x/ansi"
)

// column is a column of the table of nodes.
type column struct {
	head  string
	width int
	right bool // its values are numbers
	value func(row) (text, color string)
}

// row is what a line of the table shows.
type row struct {
	m      Model
	node   orchestrator.NodeStatus
	sample *health.Sample // nil: it did not answer
}

// roomForState is how many columns "! BACKOFF 3/5, next in 6s" takes.
const roomForState = 25

// columns returns the columns that a terminal of this width has room for, the least important
// left out first. The state gets the room that is left, so that nothing moves as it changes.
func (m Model) columns() []column {
	name, address, port := 4, 4, 4
	for _, n := range m.status.Nodes {
		name = min(max(name, ansi.StringWidth(n.Name)), 16)
		address = min(max(address, ansi.StringWidth(shownURL(n.URL, false))), 40)
		port = min(max(port, ansi.StringWidth(shownURL(n.URL, true))), 24)
	}
	urlColumn := func(width int, short bool) column {
		return column{"URL", width, false, func(r row) (string, string) { return dash(shownURL(r.node.URL, short)), "" }}
	}
	restarts := func(r row) (string, string) { return strconv.Itoa(r.node.RestartCount), "" }
	var (
		node    = column{"NODE", name, false, func(r row) (string, string) { return r.node.Name, "" }}
		state   = column{"STATE", 0, false, row.state}
		up      = column{"UP", 6, true, func(r row) (string, string) { return dash(show.Uptime(r.node, m.now)), "" }}
		counts  = column{"RESTARTS", 8, true, restarts}
		rst     = column{"RST", 3, true, restarts}
		memory  = column{"MEMORY", 11, true, row.memory}
		runQ    = column{"RUNQ", 4, true, row.runQueue}
		load    = column{"LOAD", 5, true, row.load}
		procs   = column{"PROCS", 5, true, row.processes}
		atoms   = column{"ATOMS", 5, true, row.atoms}
		whole   = urlColumn(address, false)
		portURL = urlColumn(port, true)
	)
	var columns []column
	for _, columns = range [][]column{
		{node, state, up, counts, memory, runQ, load, procs, atoms, whole},
		{node, state, up, counts, memory, runQ, procs, whole},
		{node, state, up, rst, memory, runQ, procs, portURL},
		{node, state, up, rst, memory, portURL},
		{node, state, portURL},
	} {
		left := m.width - 2
		for _, c := range columns {
			left -= c.width + 2
		}
		columns[1].width = min(max(left+2, 12), 44)
		if left+2 >= roomForState {
			break
		}
	}
	return columns
}

// shownURL is an address as the table shows it: in a narrow one the port says all about loopback.
func shownURL(text string, narrow bool) string {
	u, err := url.Parse(text)
	if !narrow || err != nil || u.Host == "" {
		return oneLine(text)
	}
	if u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost" {
		return ":" + u.Port()
	}
	return oneLine(u.Host)
}

// table draws the nodes in this many lines, its head included.
func (m Model) table(height int, p pen) []string {
	columns := m.columns()
	head := "  "
	for _, c := range columns {
		head += aligned(c, c.head) + "  "
	}
	from, to := window(len(m.status.Nodes), height-1, m.index())
	lines := []string{p.in(dim, fit(strings.TrimRight(head, " "), m.width))}
	for _, n := range m.status.Nodes[from:to] {
		r := row{m: m, node: n, sample: m.sampleOf(n)}
		selected := n.Name == m.selected
		line := "  "
		if selected {
			line = p.in(bold, "▸ ")
		}
		for i, c := range columns {
			text, color := c.value(r)
			if i == 0 && selected {
				color = bold
			}
			line += p.in(color, aligned(c, oneLine(text))) + "  "
		}
		lines = append(lines, fit(strings.TrimRight(line, " "), m.width))
	}
	if hidden := len(m.status.Nodes) - (to - from); hidden > 0 {
		lines[0] = ends(lines[0], p.in(dim, fmt.Sprintf("%d-%d of %d", from+1, to, len(m.status.Nodes))), m.width)
	}
	return lines
}

func aligned(c column, text string) string {
	if c.right {
		return right(text, c.width)
	}
	return pad(text, c.width)
}

// sampleOf returns what a node measured in its current run.
func (m Model) sampleOf(n orchestrator.NodeStatus) *health.Sample {
	if !n.State.Running() || n.StartedAt.After(m.report.Time) {
		return nil
	}
	for _, r := range m.report.Nodes {
		if r.Name == n.Name && r.Sample != nil && !r.Sample.Partial {
			return r.Sample
		}
	}
	return nil
}

// state has a sign besides its words and its colour.
func (r row) state() (text, color string) {
	text, color = show.State(r.m.status, r.node, r.m.now)
	mark := "·"
	switch r.node.State {
	case orchestrator.Ready:
		mark = "✓"
	case orchestrator.Failed:
		mark = "✗"
	case orchestrator.BackingOff, orchestrator.Degraded, orchestrator.Unreachable, orchestrator.Running:
		mark = "!"
	case orchestrator.Pending, orchestrator.Creating, orchestrator.Starting, orchestrator.Stopping:
		mark = "…"
	case orchestrator.Stopped, orchestrator.Completed:
	}
	if r.node.Paused {
		mark = "‖"
	} else if r.node.Reason != "" && (r.node.State == orchestrator.Degraded || r.node.State == orchestrator.Unreachable || r.node.State == orchestrator.Starting) {
		text += ": " + r.node.Reason // the other states have it in their words
	}
	return mark + " " + text, color
}

// full is the part of a limit from which a value is marked, as in [health.Thresholds].
const full = 0.9

// memory is the container's, or that of the VM where the container's is not known.
func (r row) memory() (text, color string) {
	if r.sample == nil {
		return "-", ""
	}
	c := r.sample.Container
	if !c.Known {
		c = health.Count{Used: r.sample.Memory["total"], Known: true}
	}
	text = bytesText(c.Used, c.Limit)
	if c.Limit > 0 && float64(c.Used) > full*float64(c.Limit) {
		return "!" + text, bad
	}
	return text, ""
}

// bytesText writes a size and its limit in one unit: "61/512 MiB", "1.5/2.0 GiB".
func bytesText(used, limit int64) string {
	const mib, gib = 1 << 20, 1 << 30
	text := func(n int64) string { return strconv.FormatInt((n+mib/2)/mib, 10) }
	unit := " MiB"
	if max(used, limit) >= 10*gib/10 {
		text = func(n int64) string { return strconv.FormatFloat(float64(n)/gib, 'f', 1, 64) }
		unit = " GiB"
	}
	if limit > 0 {
		return text(used) + "/" + text(limit) + unit
	}
	return text(used) + unit
}

func (r row) runQueue() (text, color string) {
	if r.sample == nil {
		return "-", ""
	}
	text = strconv.Itoa(r.sample.RunQueue)
	if s := r.sample.Schedulers; s > 0 && r.sample.RunQueue > 10*s {
		return "!" + text, bad
	}
	return text, ""
}

func (r row) load() (text, color string) {
	if r.sample == nil || !r.sample.Load.Known {
		return "-", ""
	}
	return fmt.Sprintf("%.0f %%", 100*r.sample.Load.Part), ""
}

func (r row) processes() (text, color string) {
	if r.sample == nil {
		return "-", ""
	}
	return countText(r.sample.Processes)
}

func (r row) atoms() (text, color string) {
	if r.sample == nil {
		return "-", ""
	}
	return countText(r.sample.Atoms)
}

// countText writes a number in few letters, and marks one near its limit.
func countText(c health.Count) (text, color string) {
	if !c.Known {
		return "-", ""
	}
	text = strconv.FormatInt(c.Used, 10)
	if c.Used >= 100_000 {
		text = strconv.FormatInt(c.Used/1000, 10) + "k"
	}
	if c.Limit > 0 && float64(c.Used) > full*float64(c.Limit) {
		return "!" + text, bad
	}
	return text, ""
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// until writes the time to a moment: "in 12s".
func until(at, now time.Time) string { return "in " + show.Span(at.Sub(now)+time.Second-1) }
