package evidence

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/beamyard/beamyard/orchestrator"
)

const (
	// before and after limit the lines that are shown with an entry: what led to it, and what
	// it caused.
	before = 2 * time.Second
	after  = time.Second
	// together is how close one node's nodeups must be to share one line.
	together = 100 * time.Millisecond
	// maxText is the length at which a text is truncated, in bytes: whole lines are in the
	// logs.
	maxText = 500
)

// row is a line of the timeline.
type row struct {
	at           time.Time
	rank         int // order of rows of one time: requests, results, output, conclusions
	source, node string
	text         string
	peer         string // the peer that text names, of a nodeup or nodedown
}

const (
	rankAsked = iota
	rankEngine
	rankLine
	rankNode
	rankOurs
)

// Timeline merges events with the output around them, by time: every event, every journal
// entry, and the output lines from 2 s before to 1 s after each of those. No line appears
// twice, and empty lines are left out. A node's nodeups (or nodedowns with one reason)
// within 100 ms share one line. Times are UTC.
func Timeline(events []orchestrator.Event, journal []orchestrator.JournalEntry, lines []orchestrator.Line) string {
	rows := entries(events, journal)
	times := make([]time.Time, len(rows))
	for i, r := range rows {
		times[i] = r.at
	}
	rows = grouped(rows)
	for _, l := range lines {
		if near(times, l.Time) && strings.TrimSpace(l.Text) != "" { // Elixir's Logger begins each message with an empty line
			rows = append(rows, row{at: l.Time, rank: rankLine, source: string(l.Stream), node: l.Node, text: l.Text})
		}
	}
	slices.SortStableFunc(rows, earlier)
	return write(rows)
}

func earlier(a, b row) int {
	if c := a.at.Compare(b.at); c != 0 {
		return c
	}
	return a.rank - b.rank
}

// entries returns all events, sorted by time.
func entries(events []orchestrator.Event, journal []orchestrator.JournalEntry) []row {
	var rows []row
	for _, e := range events {
		rows = append(rows, row{at: e.Time, rank: rankOurs, source: "beamyard", node: e.Node, text: e.Text})
	}
	for _, j := range journal {
		rank := rankAsked
		switch j.Source {
		case orchestrator.FromEngine:
			rank = rankEngine
		case orchestrator.FromNode:
			rank = rankNode
		case orchestrator.FromUser, orchestrator.FromFault:
		}
		rows = append(rows, row{at: j.Time, rank: rank, source: string(j.Source), node: j.Node, text: j.Text, peer: j.Peer})
	}
	slices.SortStableFunc(rows, earlier)
	return rows
}

// near reports whether something happened close to a line. A line without a time stands for
// lost lines.
func near(times []time.Time, at time.Time) bool {
	i, _ := slices.BinarySearchFunc(times, at.Add(-after), time.Time.Compare)
	return !at.IsZero() && i < len(times) && !times[i].After(at.Add(before))
}

// grouped adds a node's nodeups of one moment to the row of the first: a starting mesh of fifty
// nodes reports 2450. Reports about one peer keep their order: a peer that went down and came
// up again has its own rows.
func grouped(rows []row) []row {
	type group struct {
		row   int // index in out
		peers []string
	}
	var out []row
	open := map[string]*group{}
	told := map[string]int{} // the last row with an observer's peer
	finish := func(g *group) {
		first := &out[g.row]
		head, tail := aroundPeer(*first)
		first.text = head + strings.Join(g.peers, ", ") + tail
	}
	for _, r := range rows {
		if r.peer == "" {
			out = append(out, r)
			continue
		}
		head, tail := aroundPeer(r)
		key := strings.Join([]string{r.source, r.node, head, tail}, "\x00")
		pair := strings.Join([]string{r.source, r.node, r.peer}, "\x00")
		last, known := told[pair]
		if g := open[key]; g != nil && r.at.Sub(out[g.row].at) <= together && (!known || last < g.row) {
			g.peers = append(g.peers, r.peer)
			told[pair] = g.row
			continue
		} else if g != nil {
			finish(g)
		}
		open[key], told[pair] = &group{len(out), []string{r.peer}}, len(out)
		out = append(out, r)
	}
	for _, g := range open {
		finish(g)
	}
	return out
}

// aroundPeer returns the text before and after a row's peer.
func aroundPeer(r row) (head, tail string) {
	head, tail, found := strings.Cut(r.text, " "+r.peer)
	if !found {
		return r.text + " ", ""
	}
	return head + " ", tail
}

func write(rows []row) string {
	width := len("NODE")
	for _, r := range rows {
		width = max(width, len(r.node))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-23s  %-8s  %-*s  %s\n", "TIME (UTC)", "SOURCE", width, "NODE", "TEXT")
	for _, r := range rows {
		node := r.node
		if node == "" {
			node = "-"
		}
		text := fmt.Sprintf("%s  %-8s  %-*s  %s", r.at.UTC().Format("2006-01-02 15:04:05.000"), r.source, width, node, oneLine(r.text))
		b.WriteString(strings.TrimRight(text, " \t") + "\n")
	}
	return b.String()
}

// colours are the escape sequences of ECMA-48 that nodes print.
var colours = regexp.MustCompile(`\x1b\[[0-9;?]*[ -/]*[@-~]`)

// oneLine shortens a text to fit a row.
func oneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' }), " / ")
	text = strings.Map(func(r rune) rune {
		if r != '\t' && unicode.IsControl(r) {
			return '·'
		}
		return r
	}, colours.ReplaceAllString(text, ""))
	if len(text) > maxText {
		cut := maxText
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + " …"
	}
	return text
}
