package effects

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/internal/english"
)

// Observation is what was recorded during faults that are over, all of it by one clock.
type Observation struct {
	Spec    orchestrator.Spec
	Faults  []fault.Fault // that are over
	Healed  time.Time     // when the heal of the last of them began; zero for a blip, which needs none
	Journal []orchestrator.JournalEntry
	InForce []fault.Fault // that are not over
	// Health is the report once the nodes are connected again; nil if there is none.
	Health *orchestrator.HealthReport
}

// Report is what faults did, and what they left.
type Report struct {
	// Lost are the pairs that were disconnected, in the order of their names.
	Lost []Loss `json:"lost"`
	// Unnoticed are the pairs that a fault cut, and that stayed connected.
	Unnoticed []Pair `json:"unnoticed,omitempty"`
	// Apart are the pairs that are not connected now, and should be.
	Apart []Pair `json:"apart,omitempty"`
	// InForce are the faults that are not over. The pairs that they keep apart are not in Apart.
	InForce []fault.Fault `json:"in_force,omitempty"`
	// Left are the findings about what connected nodes do not agree on now: mnesia-apart,
	// global-stuck, duplicate-names.
	Left []orchestrator.Finding `json:"left,omitempty"`
	// Undecided describes what global of nodes still waits for.
	Undecided []string `json:"undecided,omitempty"`
	// Mnesia are the nodes whose Mnesia works with that of another node. A Mnesia of its own, with
	// no other node in its schema, is none.
	Mnesia []string `json:"mnesia,omitempty"`
	// Judged means that the nodes were asked: without, only Lost and Unnoticed are known.
	Judged bool `json:"judged"`

	noMesh bool // the nodes need not be connected
}

// Loss is a pair that lost each other.
type Loss struct {
	Pair
	// Ends are the nodes that saw the other one go, the first first.
	Ends []End `json:"ends"`
	// Innocent means that no fault cut the pair: global disconnected it.
	Innocent bool `json:"innocent,omitempty"`
	// For is how long the pair was not connected, from the first nodedown to the last nodeup, in
	// nanoseconds; 0: it still is not.
	For time.Duration `json:"for,omitempty"`
	// Back is the time from the begin of the heal until both ends saw each other again, in nanoseconds. It is
	// less than 0 if they did before the heal. Nil for a blip, and for a pair that is still lost.
	Back *time.Duration `json:"back,omitempty"`
}

// End is how one node of a pair saw the other one go.
type End struct {
	Node   string        `json:"node"`
	After  time.Duration `json:"after"`            // since the first fault began, in nanoseconds
	Times  int           `json:"times"`            // how often it saw it go
	Reason string        `json:"reason,omitempty"` // the kernel's, of the first time: "net_tick_timeout"
}

// left are the codes of findings that a fault leaves.
var left = []orchestrator.FindingCode{"mnesia-apart", "global-stuck", "duplicate-names"}

// Observe reports what faults did.
func Observe(o Observation) Report {
	names := namesOf(o.Spec)
	cut := Cut(names, o.Faults...)
	r := Report{Lost: []Loss{}, Judged: o.Health != nil, noMesh: o.Spec.Mesh == orchestrator.MeshNone}
	for i, a := range names {
		for _, b := range names[i+1:] {
			pair := PairOf(a, b)
			_, isCut := cut[pair]
			if loss, lost := o.loss(pair); lost {
				loss.Innocent = !isCut
				r.Lost = append(r.Lost, loss)
			} else if isCut {
				r.Unnoticed = append(r.Unnoticed, pair)
			}
		}
	}
	if o.Health == nil {
		return r
	}
	if r.InForce = o.InForce; !r.noMesh {
		kept := keptApart(names, o.InForce)
		r.Apart = slices.DeleteFunc(apart(o.Health.Matrix), func(p Pair) bool { return kept[p] })
	}
	for _, n := range o.Health.Nodes {
		if n.Sample != nil && n.Sample.Mnesia != nil && len(n.Sample.Mnesia.Running) > 1 {
			r.Mnesia = append(r.Mnesia, n.Name)
		}
	}
	for _, f := range o.Health.Findings {
		if slices.Contains(left, f.Code) {
			r.Left = append(r.Left, f)
		}
	}
	r.Undecided = Undecided(o.Health.Report)
	return r
}

// loss returns how a pair lost each other after the first fault began, if it did.
func (o Observation) loss(p Pair) (Loss, bool) {
	l := Loss{Pair: p}
	begin := o.begin()
	up := map[string]time.Time{}
	for _, e := range o.Journal {
		if e.Source != orchestrator.FromNode || e.Time.Before(begin) || PairOf(e.Node, e.Peer) != p {
			continue
		}
		kind, rest, _ := strings.Cut(e.Text, " ")
		at := slices.IndexFunc(l.Ends, func(end End) bool { return end.Node == e.Node })
		switch {
		case kind == "nodeup":
			up[e.Node] = e.Time
		case kind != "nodedown":
		case at >= 0:
			l.Ends[at].Times++
			delete(up, e.Node)
		default:
			_, reason, _ := strings.Cut(rest, "(")
			l.Ends = append(l.Ends, End{Node: e.Node, After: e.Time.Sub(begin), Times: 1, Reason: strings.TrimSuffix(reason, ")")})
			delete(up, e.Node)
		}
	}
	slices.SortStableFunc(l.Ends, func(a, b End) int { return cmp.Compare(a.After, b.After) })
	last := time.Time{}
	for _, end := range l.Ends {
		if up[end.Node].IsZero() {
			return l, true
		}
		if up[end.Node].After(last) {
			last = up[end.Node]
		}
	}
	if len(l.Ends) == 0 {
		return l, false
	}
	l.For = last.Sub(begin) - l.Ends[0].After
	if back := last.Sub(o.Healed); !o.Healed.IsZero() {
		l.Back = &back
	}
	return l, true
}

func (o Observation) begin() time.Time {
	var begin time.Time
	for _, f := range o.Faults {
		if begin.IsZero() || f.Begin.Before(begin) {
			begin = f.Begin
		}
	}
	return begin
}

// apart returns the pairs of which one node does not see the other.
func apart(m health.Matrix) []Pair {
	var pairs []Pair
	for i, a := range m.Nodes {
		for j, b := range m.Nodes[:i] {
			if m.Rows[i][j] == health.SeesNot || m.Rows[j][i] == health.SeesNot {
				pairs = append(pairs, PairOf(a, b))
			}
		}
	}
	slices.SortFunc(pairs, func(a, b Pair) int { return cmp.Or(cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B)) })
	return pairs
}

// Nothing reports whether the nodes were asked, and nothing is left of the faults or of others.
func (r Report) Nothing() bool {
	return r.Judged && len(r.Apart)+len(r.InForce)+len(r.Left)+len(r.Undecided) == 0
}

// Lines describes the report for people, without the findings in Left.
func (r Report) Lines() []string {
	var lines []string
	for _, l := range r.Lost {
		lines = append(lines, l.String())
	}
	if len(lines) > manyShown {
		first, last := r.Lost[0], r.Lost[0]
		for _, l := range r.Lost {
			if l.Ends[0].After < first.Ends[0].After {
				first = l
			}
			if l.Ends[0].After > last.Ends[0].After {
				last = l
			}
		}
		lines = append(lines[:manyShown], fmt.Sprintf("and %d more pairs; the first was lost after %s, the last after %s", len(r.Lost)-manyShown, short(first.Ends[0].After), short(last.Ends[0].After)))
	}
	if len(r.Unnoticed) > 0 {
		lines = append(lines, pairsText(r.Unnoticed)+" stayed connected")
	}
	if len(r.Apart) > 0 {
		lines = append(lines, pairsText(r.Apart)+" are not connected")
	}
	for _, f := range r.InForce {
		lines = append(lines, fmt.Sprintf("%s is still in force: %s", f.ID, f))
	}
	lines = append(lines, r.Undecided...)
	if r.Nothing() {
		var well []string
		if !r.noMesh {
			well = append(well, "every pair is connected")
		}
		if len(r.Mnesia) > 1 {
			well = append(well, "Mnesia works together on "+joined(r.Mnesia))
		}
		lines = append(lines, "nothing is apart: "+strings.Join(append(well, "global agrees on names"), "; "))
	}
	return lines
}

// String describes the loss: "n1-n2 lost after 7.4s and 7.6s, connected again 570ms after the heal",
// of a blip "n1-n2 lost for 35ms".
func (l Loss) String() string {
	var after []string
	again := 0
	for _, end := range l.Ends {
		if text := short(end.After); !slices.Contains(after, text) {
			after = append(after, text)
		}
		again = max(again, end.Times-1)
	}
	text := fmt.Sprintf("%s lost", l.Pair)
	if blip := l.Back == nil && l.For > 0; blip {
		text += " for " + short(l.For)
	} else {
		text += " after " + strings.Join(after, " and ")
	}
	if len(l.Ends) == 1 {
		text += ", as " + l.Ends[0].Node + " saw it"
	}
	if again > 0 {
		text += ", and " + english.Plural(again, "more time", "more times")
	}
	if l.Innocent {
		text += ", by global: the fault did not cut it"
	}
	switch {
	case l.For == 0:
		text += ", not connected again"
	case l.Back != nil && *l.Back < 0:
		text += ", connected again before the heal"
	case l.Back != nil:
		text += fmt.Sprintf(", connected again %s after the heal", short(*l.Back))
	}
	return text
}
