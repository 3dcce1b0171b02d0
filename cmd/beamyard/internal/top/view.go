package top

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/beamyard/beamyard/cmd/beamyard/internal/show"
	"github.com/beamyard/beamyard/orchestrator"
)

// View implements [tea.Model].
func (m Model) View() tea.View {
	v := tea.NewView(m.Screen())
	v.AltScreen = true
	v.WindowTitle = "beamyard top " + m.cluster
	return v
}

// fewest are the lines and columns that a screen needs.
const (
	fewestLines   = 12
	fewestColumns = 40
)

// Screen draws the state: as many lines as the terminal has, none longer than it is wide.
func (m Model) Screen() string {
	if m.height < fewestLines || m.width < fewestColumns {
		return fit(fmt.Sprintf("%d×%d or more, please", fewestColumns, fewestLines), m.width)
	}
	p := pen{m.colors}
	lines := append(m.banner(p), "")
	foot := []string{m.statusLine(p), m.keysLine(p)}
	room := m.height - len(lines) - len(foot)
	lines = append(lines, m.body(room, p)...)
	for len(lines) < m.height-len(foot) {
		lines = append(lines, "")
	}
	lines = append(lines[:m.height-len(foot)], foot...)
	for i, line := range lines {
		lines[i] = fit(line, m.width)
	}
	return strings.Join(lines, "\n")
}

// page draws everything there is, for who reads it as a text: as many lines as it takes.
func (m Model) page() string {
	p := pen{m.colors}
	n := len(m.status.Nodes)
	m.selected = "" // no key moves it
	lines := append(m.banner(p), "")
	lines = append(lines, m.table(n+1, p)...)
	lines = append(lines, "", p.in(dim, "WHO SEES WHOM"))
	lines = append(lines, matrix(m.relations, -1, m.width, n+30, true, p)...)
	if len(m.events) > 0 {
		lines = append(lines, "", p.in(dim, "EVENTS"))
		lines = append(lines, m.eventLines(m.width, 20, p)...)
	}
	for i, line := range lines {
		lines[i] = strings.TrimRight(fit(line, m.width), " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

// body draws what is between the banner and the status line.
func (m Model) body(height int, p pen) []string {
	inside := p
	if m.silent {
		inside.colors, m.now = false, m.lost // it was so then
	}
	switch m.pane {
	case matrixPane:
		return append([]string{title("WHO SEES WHOM", "m goes back", m.width, p)},
			matrix(m.relations, m.index(), m.width, height-1, true, inside)...)
	case eventsPane:
		return append([]string{title("EVENTS", "e goes back", m.width, p)}, m.eventLines(m.width, height-1, inside)...)
	case keysPane:
		return m.keysText(p)
	case overview, logPane:
	}
	rows := min(len(m.status.Nodes), max(3, height-12), max(3, height/2))
	lines := append(m.table(rows+1, inside), "")
	if m.pane == logPane {
		return append(lines, m.logLines(height-len(lines), p)...)
	}
	return append(lines, m.overviewLines(height-len(lines), inside)...)
}

// banner is what is always in sight: the cluster, what is wrong, and the faults.
func (m Model) banner(p pen) []string {
	v := m.verdict()
	lines := []string{
		ends(" "+p.in(bold, oneLine(m.cluster))+"  "+m.summary(), m.now.Local().Format(clock)+" ", m.width),
		fit(" "+p.in(v.color, v.mark+" "+oneLine(v.text)), m.width),
	}
	if v.command != "" {
		lines = append(lines, fit("   → "+p.in(bold, oneLine(v.command)), m.width))
	} else {
		lines = append(lines, "")
	}
	return append(lines, m.faultLines(p)...)
}

// summary counts the nodes.
func (m Model) summary() string {
	if !m.known {
		return ""
	}
	well, words := orchestrator.Ready, "ready"
	if !m.status.Supervised {
		well, words = orchestrator.Running, "running"
	}
	count := 0
	for _, n := range m.status.Nodes {
		if n.State == well {
			count++
		}
	}
	text := fmt.Sprintf("%d of %d nodes %s", count, len(m.status.Nodes), words)
	if !m.status.Created.IsZero() {
		text += " · up " + show.Span(m.now.Sub(m.status.Created))
	}
	if m.readOnly {
		text += " · read-only"
	}
	return text
}

// faultLines are the faults in force, with their countdown. There is always a line, so that
// nothing moves when one comes.
func (m Model) faultLines(p pen) []string {
	var lines []string
	for _, f := range m.status.Faults {
		if f.Ended(m.now) {
			continue
		}
		ends := "until it is healed"
		if !f.End.IsZero() {
			ends = "ends " + until(f.End, m.now)
		}
		lines = append(lines, fmt.Sprintf(" %s %s  %s · %s", p.in(warn, "fault"), oneLine(f.ID), oneLine(f.String()), ends))
	}
	most := 1
	if m.height >= 30 {
		most = 3
	}
	switch more := len(lines) - most; {
	case len(lines) == 0:
		return []string{p.in(dim, " no fault is in force")}
	case more > 0:
		lines[most-1] = ends(lines[most-1], p.in(warn, fmt.Sprintf(" and %d more ", more)), m.width)
		return lines[:most]
	}
	return lines
}

func title(text, hint string, width int, p pen) string {
	return ends(p.in(dim, " "+text), p.in(dim, hint+" "), width)
}

// How many columns events need beside the matrix, and a matrix with its legend.
const (
	leastEvents = 36
	leastMatrix = 28
)

// overviewLines are the matrix with the events beside it.
func (m Model) overviewLines(height int, p pen) []string {
	room := min(m.width-leastEvents-3, max(leastMatrix, min(matrixWidth(m.relations.Nodes), m.width/2)))
	left := matrix(m.relations, m.index(), room, height-1, false, p)
	taken := room + 3
	lines := []string{pad(p.in(dim, " WHO SEES WHOM"), taken) + p.in(dim, "EVENTS")}
	return append(lines, beside(left, taken, m.eventLines(m.width-taken, height-1, p))...)
}

// eventLines are the last events, the newest at the bottom.
func (m Model) eventLines(width, height int, p pen) []string {
	if len(m.events) == 0 {
		text := "nothing happened yet"
		if m.known && !m.status.Supervised {
			text = "no supervisor keeps events"
		}
		return []string{p.in(dim, text)}
	}
	var lines []string
	for _, e := range tail(m.events, height) {
		color := ""
		switch e.Kind {
		case orchestrator.EventFault, orchestrator.EventFinding:
			color = warn
		case orchestrator.EventExit:
			color = bad
		case orchestrator.EventPhase, orchestrator.EventState, orchestrator.EventMesh, orchestrator.EventSync, orchestrator.EventUpgrade, orchestrator.EventNote:
		}
		lines = append(lines, fit(p.in(dim, e.Time.Local().Format(clock))+" "+p.in(color, oneLine(e.String())), width))
	}
	return lines
}

// logLines are the last lines of the selected node's log.
func (m Model) logLines(height int, p pen) []string {
	shown := m.shownLines()
	what, hint := "LOG OF "+oneLine(m.logOf), "l goes back"
	if m.filter.text != "" {
		hint = fmt.Sprintf("%d of %d lines match /%s/", len(shown), len(m.lines), m.filter.text)
	}
	lines := []string{title(what, hint, m.width, p)}
	if len(shown) == 0 {
		return append(lines, p.in(dim, " no line"))
	}
	for _, l := range tail(shown, height-1) {
		mark, color := " ", ""
		switch l.Stream {
		case orchestrator.Stderr:
			mark = p.in(warn, "!") // stderr
		case orchestrator.StreamSystem:
			color = dim
		case orchestrator.Stdout:
		}
		lines = append(lines, fit(" "+p.in(dim, l.Time.Local().Format(clock))+mark+p.in(color, l.Text), m.width))
	}
	return lines
}

// keysText explains the keys.
func (m Model) keysText(p pen) []string {
	lines := []string{title("KEYS", "? goes back", m.width, p)}
	for _, k := range keyHelp {
		lines = append(lines, "   "+p.in(bold, pad(k[0], 10))+k[1])
	}
	for _, text := range keyHints {
		lines = append(lines, p.in(dim, "   "+text))
	}
	return lines
}

// statusLine asks, takes an expression, or tells which command was run.
func (m Model) statusLine(p pen) string {
	switch {
	case m.filter.typing:
		line := " /" + m.filter.text + "█"
		if m.filter.err != nil {
			line += "  " + p.in(bad, "✗ no expression yet: "+oneLine(m.filter.err.Error()))
		}
		return line + p.in(dim, "  Enter keeps it, Esc clears it")
	case m.question != nil:
		q := m.question
		return p.in(warn, fmt.Sprintf(" ? %s %s: %s or Enter does it, Esc does not", q.action, oneLine(q.node), q.key)) + p.in(dim, "  "+m.command(q.action, q.node))
	case m.remark.text != "":
		color := map[string]string{"✓": good, "✗": bad, "!": warn, "…": busy}[m.remark.mark]
		return " " + p.in(color, m.remark.mark) + " " + m.remark.text
	}
	return ""
}

// keysLine lists the keys that matter here.
func (m Model) keysLine(p pen) string {
	keys := [][2]string{{"↑↓", "node"}}
	if !m.readOnly {
		stop, pause := "stop", "pause"
		if n, ok := m.status.Node(m.selected); ok {
			stop, pause = string(actionOf("s", n)), string(actionOf("p", n))
		}
		keys = append(keys, [][2]string{{"K", "kill"}, {"r", "restart"}, {"s", stop}, {"p", pause}, {"h", "heal"}}...)
	}
	more := [2]string{"m", "matrix"}
	if m.pane == logPane {
		more = [2]string{"/", "filter"}
	}
	keys = append(keys, [][2]string{{"l", "log"}, more, {"?", "keys"}, {"q", "quit"}}...)
	line := ""
	for _, k := range keys {
		line += " " + p.in(bold, k[0]) + p.in(dim, " "+k[1])
	}
	return fit(line, m.width)
}
