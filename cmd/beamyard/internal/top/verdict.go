package top

import (
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/effects"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// verdict is what a look at the cluster should tell first.
type verdict struct {
	mark, color string
	text        string
	command     string // "": there is nothing to do
}

const (
	good = "32"
	bad  = "31"
	warn = "33"
	busy = "36"
	dim  = "2"
	bold = "1"
)

// clock is the time of day, as every line shows it.
const clock = "15:04:05"

// verdict decides what is wrong, the cause before what follows from it.
func (m Model) verdict() verdict {
	since := m.lost.Local().Format(clock)
	switch {
	case m.silent && !m.lost.IsZero():
		return verdict{"!", warn, fmt.Sprintf("not connected since %s, trying: %s", since, m.lostWhy), "beamyard ps"}
	case !m.known:
		return verdict{"…", busy, "asking " + m.cluster, ""}
	case !m.lost.IsZero():
		return verdict{"!", warn, fmt.Sprintf("not connected since %s, trying; this is what the engine tells", since), hint.Supervise.On(m.cluster).String()}
	}
	for _, look := range []func(Model) (verdict, bool){
		Model.foundCause, Model.failedNode, Model.noSupervisor, Model.cut, Model.apart, Model.unreadyNode, Model.failedCheck,
	} {
		if v, ok := look(m); ok {
			return v
		}
	}
	if pairs := len(m.status.Nodes) * (len(m.status.Nodes) - 1) / 2; pairs == 0 || m.relations.Count()[effects.Connected] < pairs {
		return verdict{"✓", good, "nothing is wrong", ""}
	}
	return verdict{"✓", good, "all is well: every pair is connected", ""}
}

// foundCause is the first finding that follows from no other.
func (m Model) foundCause() (verdict, bool) {
	var all []orchestrator.Finding
	for _, n := range m.status.Nodes {
		all = append(all, n.Findings...)
	}
	if !m.lagging() {
		all = append(all, m.report.Findings...)
	}
	var roots []orchestrator.Finding
	for _, f := range orchestrator.RootCauses(all) {
		if !slices.ContainsFunc(roots, func(r orchestrator.Finding) bool { return r.Code == f.Code && r.Node == f.Node }) {
			roots = append(roots, f)
		}
	}
	if len(roots) == 0 {
		return verdict{}, false
	}
	f, more := roots[0], ""
	if len(roots) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(roots)-1)
	}
	v := verdict{mark: "✗", color: bad, text: f.String() + more}
	if f.Node != "" && !strings.Contains(f.Problem, f.Node) {
		v.text = f.Node + ": " + v.text
	}
	if steps := f.Hint().Split(); len(steps) > 0 {
		v.command = steps[0].String()
	}
	return v, true
}

// lagging reports whether the report is older than a node's run, and so about another one.
func (m Model) lagging() bool {
	return slices.ContainsFunc(m.status.Nodes, func(n orchestrator.NodeStatus) bool { return n.StartedAt.After(m.report.Time) })
}

// failedNode is the first node that crashed.
func (m Model) failedNode() (verdict, bool) {
	for _, state := range []orchestrator.State{orchestrator.Failed, orchestrator.BackingOff} {
		if v, ok := m.inState(state, "✗", bad); ok {
			return v, true
		}
	}
	return verdict{}, false
}

// unreadyNode is the first node that runs and is not Ready.
func (m Model) unreadyNode() (verdict, bool) {
	for _, n := range m.status.Nodes {
		if n.Paused {
			return verdict{"!", warn, n.Name + " is paused: it neither runs nor answers", m.command(Unpause, n.Name)}, true
		}
	}
	for _, state := range []orchestrator.State{orchestrator.Unreachable, orchestrator.Degraded} {
		if v, ok := m.inState(state, "!", warn); ok {
			return v, true
		}
	}
	for _, state := range []orchestrator.State{orchestrator.Pending, orchestrator.Creating, orchestrator.Starting} {
		if v, ok := m.inState(state, "…", busy); ok {
			v.command = ""
			return v, true
		}
	}
	return verdict{}, false
}

// inState describes the first node in a state.
func (m Model) inState(state orchestrator.State, mark, color string) (verdict, bool) {
	var in []orchestrator.NodeStatus
	for _, n := range m.status.Nodes {
		if n.State == state {
			in = append(in, n)
		}
	}
	if len(in) == 0 {
		return verdict{}, false
	}
	n := in[0]
	text := fmt.Sprintf("%s is %s", n.Name, n.State)
	if len(in) > 1 {
		text = fmt.Sprintf("%s and %d more are %s", n.Name, len(in)-1, n.State)
	}
	if n.Reason != "" {
		text += ": " + n.Reason
	}
	return verdict{mark, color, text, "beamyard inspect " + m.cluster + "/" + n.Name}, true
}

func (m Model) noSupervisor() (verdict, bool) {
	return verdict{"!", warn, "no supervisor: no process restarts what crashes", hint.Supervise.On(m.cluster).String()}, !m.status.Supervised
}

// cut says that a fault keeps nodes apart.
func (m Model) cut() (verdict, bool) {
	count := m.relations.Count()
	lost, still := count[effects.CutOff], count[effects.Unnoticed]
	if lost+still == 0 {
		return verdict{}, false
	}
	text := pairs(lost+still) + " cut by a fault"
	if still > 0 {
		text += fmt.Sprintf("; %d not noticed yet", still)
	}
	if n := count[effects.Collateral]; n > 0 {
		text += fmt.Sprintf("; global disconnected %d more", n)
	}
	return verdict{"/", warn, text, m.command(Heal, "")}, true
}

// apart says that nodes are not connected, and no fault explains it.
func (m Model) apart() (verdict, bool) {
	count, first := 0, ""
	for i, row := range m.relations.Rows {
		for j := range i {
			text := ""
			switch a, b := m.relations.Nodes[j], m.relations.Nodes[i]; row[j] {
			case effects.Missing:
				text = fmt.Sprintf("%s and %s are not connected", a, b)
			case effects.OneSidedFrom:
				text = fmt.Sprintf("%s sees %s, which does not see it", b, a)
			case effects.OneSidedTo:
				text = fmt.Sprintf("%s sees %s, which does not see it", a, b)
			case effects.Connected, effects.Hidden, effects.CutOff, effects.Unnoticed, effects.Collateral, effects.Absent, effects.Unknown:
				continue
			}
			if count++; first == "" {
				first = text
			}
		}
	}
	if count > 1 {
		first += fmt.Sprintf(" (and %s more)", pairs(count-1))
	}
	return verdict{"✗", bad, first, "beamyard health -v " + m.cluster}, count > 0
}

// failedCheck is the first check of the health that failed.
func (m Model) failedCheck() (verdict, bool) {
	c, failed := m.report.FirstFailed(health.Groups...)
	if !failed || m.lagging() {
		return verdict{}, false
	}
	text := c.Means
	if text == "" {
		text = c.Name + " failed"
	}
	if c.Node != "" && !strings.Contains(text, c.Node) {
		text = c.Node + ": " + text
	}
	command := c.Suggestion.String()
	if command == "" {
		command = "beamyard health " + m.cluster
	}
	return verdict{"✗", bad, text, command}, true
}

func pairs(n int) string {
	if n == 1 {
		return "1 pair"
	}
	return fmt.Sprintf("%d pairs", n)
}
