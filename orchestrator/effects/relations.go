package effects

import (
	"slices"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// Relation is how one node is connected to another, and why it is not.
type Relation string

// The relations.
const (
	Connected    Relation = "connected"     // each sees the other
	OneSidedFrom Relation = "one-sided"     // it sees the other, which does not see it
	OneSidedTo   Relation = "one-sided-by"  // the other sees it, and it does not see the other
	Hidden       Relation = "hidden"        // connected, and at least one of them as a hidden node
	Missing      Relation = "missing"       // neither sees the other, and no fault explains it
	CutOff       Relation = "cut"           // a fault keeps them apart
	Unnoticed    Relation = "cut-unnoticed" // a fault keeps them apart, and at least one of them has not noticed yet
	Collateral   Relation = "collateral"    // neither sees the other: global disconnected them because of a fault, see [Innocent] and [Passing]
	Absent       Relation = "down"          // one of them is not running, or not proven yet
	Unknown      Relation = "unknown"       // one of them does not answer
)

// Relations shows how each node is connected to each other node: Rows[i][j] is the relation of
// Nodes[i] to Nodes[j]. The diagonal is "".
type Relations struct {
	Nodes []string     `json:"nodes"` // short names
	Rows  [][]Relation `json:"rows"`
}

// Count counts the pairs by their relation. Both one-sided relations count as [OneSidedFrom].
func (r Relations) Count() map[Relation]int {
	count := map[Relation]int{}
	for i := range r.Rows {
		for j := range i {
			relation := r.Rows[i][j]
			if relation == OneSidedTo {
				relation = OneSidedFrom
			}
			count[relation]++
		}
	}
	return count
}

// Relate decides who sees whom. The status of a supervised cluster has what the nodes reported as
// it happened. The report, which can be older, adds who is hidden, and is all that is known
// without a supervisor; its zero value adds nothing.
func Relate(st orchestrator.Status, report health.Report, now time.Time) Relations {
	names := make([]string, len(st.Nodes))
	for i, n := range st.Nodes {
		names[i] = n.Name
	}
	inForce := slices.DeleteFunc(slices.Clone(st.Faults), func(f fault.Fault) bool { return f.Ended(now) })
	d := decision{
		supervised: st.Supervised, matrix: report.Matrix,
		cut: Cut(names, inForce...), innocent: Innocent(names, preventing(report), inForce...),
	}
	for _, f := range inForce {
		for p := range Passing(names, preventing(report), f) {
			d.innocent[p] = f
		}
	}
	r := Relations{Nodes: names, Rows: make([][]Relation, len(names))}
	for i, a := range st.Nodes {
		r.Rows[i] = make([]Relation, len(names))
		for j, b := range st.Nodes {
			if i != j {
				r.Rows[i][j] = d.relation(a, b)
			}
		}
	}
	return r
}

// preventing returns which nodes prevent overlapping partitions: those that did not say otherwise.
func preventing(r health.Report) func(node string) bool {
	return func(node string) bool {
		i := slices.IndexFunc(r.Nodes, func(n health.NodeReport) bool { return n.Name == node })
		return i < 0 || r.Nodes[i].Sample == nil || r.Nodes[i].Sample.Partial || r.Nodes[i].Sample.PreventOverlapping
	}
}

// decision is what the relation of two nodes depends on.
type decision struct {
	supervised    bool
	matrix        health.Matrix
	cut, innocent map[Pair]fault.Fault
}

func (d decision) relation(a, b orchestrator.NodeStatus) Relation {
	if !up(a) || !up(b) {
		return Absent
	}
	to, from := d.sight(a, b), d.sight(b, a)
	_, cut := d.cut[PairOf(a.Name, b.Name)]
	_, innocent := d.innocent[PairOf(a.Name, b.Name)]
	cut = cut || slices.Contains(a.Cut, b.Name) || slices.Contains(b.Cut, a.Name)
	apart := to == health.SeesNot && from == health.SeesNot
	switch {
	case cut && apart:
		return CutOff
	case to == health.SeesUnknown || from == health.SeesUnknown:
		return Unknown
	case cut:
		return Unnoticed
	case apart && innocent:
		return Collateral
	case apart:
		return Missing
	case to == health.SeesNot:
		return OneSidedTo
	case from == health.SeesNot:
		return OneSidedFrom
	case to == health.SeesHidden || from == health.SeesHidden:
		return Hidden
	}
	return Connected
}

// up reports whether a node is to be connected to others.
func up(n orchestrator.NodeStatus) bool {
	switch n.State {
	case orchestrator.Ready, orchestrator.Degraded, orchestrator.Running:
		return true
	case orchestrator.Pending, orchestrator.Creating, orchestrator.Starting, orchestrator.Unreachable, orchestrator.BackingOff,
		orchestrator.Stopping, orchestrator.Stopped, orchestrator.Completed, orchestrator.Failed:
	}
	return false
}

// sight returns how one node sees another.
func (d decision) sight(from, to orchestrator.NodeStatus) health.Sight {
	reported := health.SeesUnknown
	i, j := slices.Index(d.matrix.Nodes, from.Name), slices.Index(d.matrix.Nodes, to.Name)
	if i >= 0 && j >= 0 {
		reported = d.matrix.Rows[i][j]
	}
	switch {
	case from.Paused:
		return health.SeesUnknown
	case !d.supervised, reported == health.SeesHidden: // a supervisor is told of visible nodes alone
		return reported
	case slices.Contains(from.Peers, to.Name):
		return health.SeesVisible
	}
	return health.SeesNot
}
