package top

import (
	"regexp"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/beamyard/beamyard/cmd/beamyard/internal/show"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/effects"
)

// What a model keeps. More would never be shown.
const (
	keptEvents = 500
	keptLines  = 2000
)

// askFor is how long a question waits for its second press.
const askFor = 10 * time.Second

// hands carry out what a model asks for.
type hands interface {
	// do carries out an action; node is "" for the cluster.
	do(a Action, node string) error
	// follow sends the lines of this node's log from now on; "" ends it.
	follow(node string)
}

// pane is what is shown below the nodes.
type pane int

const (
	overview pane = iota // who sees whom, and the last events
	logPane
	matrixPane // in place of the nodes, too
	eventsPane
	keysPane
)

// Model is the state of the view. It is a value: [Model.Update] returns the next one.
type Model struct {
	cluster  string
	readOnly bool
	colors   bool
	hands    hands

	now           time.Time
	width, height int

	known     bool // a status was told
	status    orchestrator.Status
	report    orchestrator.HealthReport
	relations effects.Relations
	events    []orchestrator.Event
	lost      time.Time // since when no supervisor answers; zero: one does, or there never was one
	lostWhy   string
	silent    bool // nothing answers: what is shown is what was last known

	selected string
	pane     pane
	logOf    string // the node whose lines are shown
	lines    []orchestrator.Line
	filter   filter
	question *question
	remark   remark
}

// question waits for a second press.
type question struct {
	action Action
	node   string
	key    string
	until  time.Time
}

// remark is the status line.
type remark struct{ mark, text string }

// filter selects lines of the log.
type filter struct {
	typing bool
	text   string
	re     *regexp.Regexp // nil: all lines
	err    error          // why text is no expression
}

func (f filter) set(text string) filter {
	f.text, f.re, f.err = text, nil, nil
	if text != "" {
		f.re, f.err = regexp.Compile("(?i)" + text)
	}
	return f
}

func newModel(cluster string, readOnly, colors bool, h hands, now time.Time) Model {
	return Model{cluster: cluster, readOnly: readOnly, colors: colors, hands: h, now: now, width: 80, height: 24}
}

// Init implements [tea.Model].
func (m Model) Init() tea.Cmd { return tick() }

// tick is the clock of the view: its countdowns show seconds.
func tick() tea.Cmd { return tea.Every(time.Second, func(t time.Time) tea.Msg { return Tick(t) }) }

// Update implements [tea.Model].
func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m.key(msg.String(), msg.Text)
	case tea.PasteMsg:
		if m.filter.typing {
			m.filter = m.filter.set(m.filter.text + oneLine(msg.Content))
		}
	case Tick:
		m.now = time.Time(msg)
		if m.question != nil && m.now.After(m.question.until) {
			m.question = nil
		}
		m.relations = effects.Relate(m.status, m.report.Report, m.now)
		return m, tick()
	case Told:
		m.known, m.silent, m.status = true, false, msg.Status
		m.relations = effects.Relate(m.status, m.report.Report, m.now)
		return m.keepSelection()
	case Examined:
		m.report = msg.Report
		m.relations = effects.Relate(m.status, m.report.Report, m.now)
	case Happened:
		m.events = joined(m.events, msg)
	case Printed:
		if msg.Node == m.logOf {
			m.lines = appended(m.lines, msg)
		}
	case Lost:
		m.silent = true
		if m.lost.IsZero() {
			m.lost = msg.At
		}
		m.lostWhy = oneLine(msg.Err.Error())
	case Found:
		m.lost, m.lostWhy, m.silent = time.Time{}, "", false
	case Done:
		m.remark = remark{"✓", m.command(msg.Action, msg.Node)}
		if msg.Err != nil {
			m.remark = remark{"✗", oneLine(m.command(msg.Action, msg.Node) + ": " + msg.Err.Error())}
			if h := orchestrator.HintOf(msg.Err); len(h) > 0 {
				m.remark.text += oneLine("; " + h.String())
			}
		}
	case broken:
		panic(msg.cause)
	}
	return m, nil
}

// joined adds events to those that are known. A connection begins with all that the supervisor
// keeps; what an earlier supervisor reported stays before them.
func joined(known []orchestrator.Event, msg Happened) []orchestrator.Event {
	if msg.Anew && len(msg.Events) > 0 {
		first := msg.Events[0].Time
		known = slices.Clone(known)
		known = slices.DeleteFunc(known, func(e orchestrator.Event) bool { return !e.Time.Before(first) })
	}
	known = append(slices.Clip(known), msg.Events...)
	return known[max(0, len(known)-keptEvents):]
}

func appended(known []orchestrator.Line, msg Printed) []orchestrator.Line {
	if msg.Anew {
		known = nil
	}
	known = append(slices.Clip(known), msg.Lines...)
	return known[max(0, len(known)-keptLines):]
}

// keepSelection selects the first node if the selected one is gone.
func (m Model) keepSelection() (Model, tea.Cmd) {
	if _, ok := m.status.Node(m.selected); ok || len(m.status.Nodes) == 0 {
		return m, nil
	}
	m.selected = m.status.Nodes[0].Name
	return m.followSelected()
}

// followSelected has the log of the selected node sent if it is shown.
func (m Model) followSelected() (Model, tea.Cmd) {
	want := ""
	if m.pane == logPane {
		want = m.selected
	}
	if want == m.logOf {
		return m, nil
	}
	m.logOf, m.lines = want, nil
	h := m.hands
	return m, func() tea.Msg { h.follow(want); return nil }
}

// index is the place of the selected node.
func (m Model) index() int {
	return max(0, slices.IndexFunc(m.status.Nodes, func(n orchestrator.NodeStatus) bool { return n.Name == m.selected }))
}

// command is the command line that does the same as an action.
func (m Model) command(a Action, node string) string {
	if a == Heal {
		return oneLine("beamyard heal -c " + m.cluster)
	}
	return oneLine("beamyard " + string(a) + " " + m.cluster + "/" + node)
}

// shownLines are the lines of the log that the filter lets through, as they are matched and
// shown.
func (m Model) shownLines() []orchestrator.Line {
	var shown []orchestrator.Line
	for _, l := range m.lines {
		l.Text = strings.NewReplacer("\t", "    ", "\n", " ").Replace(show.Uncoloured(l.Text))
		if m.filter.re == nil || m.filter.re.MatchString(l.Text) {
			shown = append(shown, l)
		}
	}
	return shown
}

// oneLine makes a text of others printable, on one line.
func oneLine(text string) string {
	return strings.NewReplacer("\n", " ", "\t", " ").Replace(show.Printable(strings.TrimSpace(text)))
}
