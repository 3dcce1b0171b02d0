package top

import (
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/beamyard/beamyard/orchestrator"
)

// keyHelp lists the keys, as ? shows them.
var keyHelp = [][2]string{
	{"↑ ↓  j k", "select a node; PgUp, PgDn, Home and End too"},
	{"K", "kill it with SIGKILL; the restart policy applies"},
	{"r", "restart it"},
	{"s", "stop it, or start it if it is down"},
	{"p", "pause it, or unpause it"},
	{"h", "heal all faults of the cluster"},
	{"l", "the last lines of its log"},
	{"/", "filter these lines by a regular expression; Esc clears it"},
	{"m", "who sees whom, on the whole screen"},
	{"e", "more events"},
	{"?", "these keys"},
	{"q", "quit; the cluster stays as it is"},
}

// keyHints explain what the keys do not.
var keyHints = []string{
	"K, r and s ask once: the same key or Enter does it, Esc does not.",
	"The line above the keys has the command that does the same.",
}

// key handles a key by its name, as in [tea.Key].String; text is what it types.
func (m Model) key(key, text string) (tea.Model, tea.Cmd) {
	switch key {
	case "ctrl+c":
		return m, tea.Interrupt
	case "ctrl+z":
		return m, tea.Suspend
	}
	if m.filter.typing {
		m.filter = m.filter.key(key, text)
		return m, nil
	}
	if q := m.question; q != nil {
		m.question = nil
		if key == q.key || key == "enter" {
			return m.act(q.action, q.node)
		}
		if key == "esc" {
			return m, nil
		}
	}
	switch key {
	case "q":
		return m, tea.Quit
	case "up", "k", "down", "j", "pgup", "pgdown", "home", "end", "g", "G":
		return m.move(key)
	case "esc":
		if m.pane == logPane && m.filter.text != "" {
			m.filter = filter{}
			return m, nil
		}
		return m.show(overview)
	case "l":
		return m.show(logPane)
	case "m":
		return m.show(matrixPane)
	case "e":
		return m.show(eventsPane)
	case "?":
		return m.show(keysPane)
	case "/":
		m.filter.typing = true
		if m.pane == logPane {
			return m, nil
		}
		return m.show(logPane)
	}
	return m.want(key)
}

// key handles a key while the expression is typed.
func (f filter) key(key, text string) filter {
	switch key {
	case "enter":
		f.typing = false
	case "esc":
		return filter{}
	case "backspace":
		_, size := utf8.DecodeLastRuneInString(f.text)
		return f.set(f.text[:len(f.text)-size])
	case "ctrl+u":
		return f.set("")
	default:
		return f.set(f.text + oneWord(text))
	}
	return f
}

// oneWord is oneLine for a typed text, in which a space counts.
func oneWord(text string) string {
	if text == " " {
		return text
	}
	return oneLine(text)
}

// show switches to a pane, and back to the overview if it is shown already.
func (m Model) show(p pane) (tea.Model, tea.Cmd) {
	if m.pane == p {
		p = overview
	}
	m.pane = p
	return m.followSelected()
}

// page is how far PgUp and PgDn go.
const page = 10

// move selects another node.
func (m Model) move(key string) (tea.Model, tea.Cmd) {
	if len(m.status.Nodes) == 0 {
		return m, nil
	}
	i, last := m.index(), len(m.status.Nodes)-1
	switch key {
	case "up", "k":
		i--
	case "down", "j":
		i++
	case "pgup":
		i -= page
	case "pgdown":
		i += page
	case "home", "g":
		i = 0
	case "end", "G":
		i = last
	}
	m.selected = m.status.Nodes[min(max(i, 0), last)].Name
	return m.followSelected()
}

// want handles the keys of actions: at once, or by a question.
func (m Model) want(key string) (tea.Model, tea.Cmd) {
	n, ok := m.status.Node(m.selected)
	a := actionOf(key, n)
	switch {
	case a == "":
		return m, nil
	case a != Heal && !ok:
		return m, nil
	case a == Heal:
		n.Name = ""
	}
	switch {
	case m.readOnly:
		m.remark = remark{"!", "read-only; this does it: " + m.command(a, n.Name)}
	case a.asks():
		m.question = &question{a, n.Name, key, m.now.Add(askFor)}
	default:
		return m.act(a, n.Name)
	}
	return m, nil
}

// actionOf returns what a key does to a node, or "".
func actionOf(key string, n orchestrator.NodeStatus) Action {
	switch key {
	case "K":
		return Kill
	case "r":
		return Restart
	case "h":
		return Heal
	case "s":
		if down(n) {
			return Start
		}
		return Stop
	case "p":
		if n.Paused {
			return Unpause
		}
		return Pause
	}
	return ""
}

// down reports whether a node stays down until it is started.
func down(n orchestrator.NodeStatus) bool { return n.State.Final() }

// act carries out an action, and says so.
func (m Model) act(a Action, node string) (tea.Model, tea.Cmd) {
	m.remark = remark{"…", m.command(a, node)}
	h := m.hands
	return m, func() tea.Msg { return Done{a, node, h.do(a, node)} }
}
