package diagnosis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// unknownRule is what is said where no rule knows.
var unknownRule = rule{
	code:    "unknown",
	problem: "{node} fails in a way that is not known here: {why}",
	try: []try{
		{text("see all of its output"), tail, there},
		{text("keep it for a look when it fails again"), again, absent},
	},
}

var unknownWhole = rule{
	code:    "unknown",
	problem: "it failed in a way that is not known here: {why}",
	try:     []try{{text("see what this machine lacks"), doctor, always}},
}

// consequences are the codes that do not tell why a node fails.
var consequences = codes{"boot-loop", "restarts-spent", "not-connected", "heart", "utf8-missing", "clock-skew", "ended-by-itself"}

// unknowns quotes what fails and has no finding: the raw error, and the last 20
// lines, those of stderr first, where the VM says why it ends.
func unknowns(e *Evidence, found []match) []match {
	var unknown []match
	explained := func(node string) bool {
		return slices.ContainsFunc(found, func(m match) bool {
			return m.finding.Node == node && !slices.Contains(consequences, m.finding.Code)
		})
	}
	if e.Error != "" && !explained("") {
		m := match{evidence: e.Error, hint: e.Hint, words: map[string]string{"why": firstLine(e.Error)}}
		unknown = append(unknown, m.of(&unknownWhole, e, nil))
	}
	for i := range e.Nodes {
		n := &e.Nodes[i]
		if explained(n.Name) || !n.failed() {
			continue
		}
		m := match{hint: n.Hint, words: map[string]string{"why": firstLine(n.why())}}
		m = m.of(&unknownRule, e.at(n), n)
		m.finding.Evidence = strings.Join(append([]string{n.why()}, lastLines(n.Lines, 20)...), "\n")
		unknown = append(unknown, m)
	}
	return unknown
}

// failed tells whether the node's run ended badly, or never began.
func (n *Node) failed() bool {
	if n.StartError != "" || n.Contact == ContactOther || n.Contact == ContactSilent {
		return true
	}
	return n.Exit != nil && n.Exit.Code != 0 && n.Exit.Class != orchestrator.ExitStopped && n.Exit.Class != orchestrator.ExitStoppedOutside && n.Exit.Class != orchestrator.ExitRemoved
}

func (n *Node) why() string {
	switch {
	case n.StartError != "":
		return n.StartError
	case n.Exit != nil:
		return fmt.Sprintf("exit %d (%s)", n.Exit.Code, n.Exit.Class)
	}
	return n.Reason
}

// lastLines are the last n lines, those of stderr first, each with its stream.
func lastLines(lines []orchestrator.Line, n int) []string {
	var stderr, stdout []string
	for _, l := range lines {
		if l.Stream == orchestrator.Stderr {
			stderr = append(stderr, "stderr: "+l.Text)
		} else {
			stdout = append(stdout, "stdout: "+l.Text)
		}
	}
	stderr = stderr[max(0, len(stderr)-max(n/2, n-len(stdout))):]
	return append(stderr, stdout[max(0, len(stdout)-(n-min(n, len(stderr)))):]...)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return clip(line)
}

func codeText(n *Node) string {
	if n.Exit == nil {
		return ""
	}
	return strconv.Itoa(n.Exit.Code)
}

// processes are the largest of a dump, a line each below its slogan.
func (d *Dump) processes() string {
	lines := []string{d.Slogan}
	for _, p := range d.Top {
		lines = append(lines, fmt.Sprintf("%s %s: %s, %d messages", p.PID, p.Name, bytesText(p.Memory), p.Queue))
	}
	return strings.Join(lines, "\n")
}

// text is a dump in one line.
func (d *Dump) text() string {
	text := d.Slogan
	if d.Memory > 0 {
		text += fmt.Sprintf("; the VM had %s", bytesText(d.Memory))
	}
	if len(d.Top) > 0 {
		p := d.Top[0]
		text += fmt.Sprintf("; its largest process was %s %s with %s", p.PID, p.Name, bytesText(p.Memory))
		if p.Queue > 0 {
			text += fmt.Sprintf(" and %d messages that waited", p.Queue)
		}
	}
	return text
}
