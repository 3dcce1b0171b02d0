package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/effects"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// This file decides how each node sees each other one. It is pure.

// sight is how one node sees another.
type sight string

// The sights.
const (
	self       sight = "self"
	connected  sight = "connected"
	missing    sight = "missing"    // it does not see the other, and nobody wants that
	oneSided   sight = "one-sided"  // one of the two sees the other
	hidden     sight = "hidden"     // connected as a hidden node: erlang:nodes/0 does not have it
	cut        sight = "cut"        // a fault, or a user, keeps the two apart
	collateral sight = "collateral" // global dropped the connection because of a fault that cuts other pairs
	unknown    sight = "unknown"    // the node does not run, or has not told
)

// pairs is the matrix: Cells[i][j] is how Nodes[i] sees Nodes[j].
type pairs struct {
	Nodes []string `json:"nodes"`
	Cells [][]cell `json:"cells"`
}

type cell struct {
	State sight      `json:"state"`
	Since *time.Time `json:"since"` // nil: not known
	Why   string     `json:"why"`
}

// evidenceOfPairs is what the matrix is made from.
type evidenceOfPairs struct {
	status  orchestrator.Status
	journal []orchestrator.JournalEntry // in the order of time
	health  *orchestrator.HealthReport  // the last one; nil: none yet
}

// change is the last time that a node saw another one come or go.
type change struct {
	up     bool
	at     time.Time
	reason string // the kernel's: "connection_closed"
}

// matrix returns how each node sees each other one, by now. What the relation of two nodes is,
// package effects decides; this adds since when, and why.
func matrix(e evidenceOfPairs, now time.Time) pairs {
	var report health.Report
	if e.health != nil {
		report = e.health.Report
	}
	related := effects.Relate(e.status, report, now)
	j := judge{e, e.changes(), effects.Cut(related.Nodes, e.status.Faults...)}
	m := pairs{Nodes: related.Nodes, Cells: [][]cell{}}
	for i, a := range e.status.Nodes {
		row := []cell{}
		for k, b := range e.status.Nodes {
			if i == k {
				row = append(row, cell{State: self})
			} else {
				row = append(row, j.cell(a, b, related.Rows[i][k]))
			}
		}
		m.Cells = append(m.Cells, row)
	}
	return m
}

// changes returns, for each direction, the last nodeup or nodedown.
func (e evidenceOfPairs) changes() map[fault.Pair]change {
	all := map[fault.Pair]change{}
	for _, entry := range e.journal {
		kind, rest, _ := strings.Cut(entry.Text, " ")
		if entry.Source != orchestrator.FromNode || kind != "nodeup" && kind != "nodedown" {
			continue
		}
		_, reason, _ := strings.Cut(rest, "(")
		all[fault.Pair{From: entry.Node, To: entry.Peer}] = change{kind == "nodeup", entry.Time, strings.TrimSuffix(reason, ")")}
	}
	return all
}

type judge struct {
	evidenceOfPairs
	changed map[fault.Pair]change
	cut     map[effects.Pair]fault.Fault
}

// cell returns how a sees b.
func (j judge) cell(a, b orchestrator.NodeStatus, relation effects.Relation) cell {
	last := j.changed[fault.Pair{From: a.Name, To: b.Name}]
	switch relation {
	case effects.Connected:
		return cell{connected, upSince(last), ""}
	case effects.Hidden:
		return cell{hidden, upSince(last), "connected, but hidden: erlang:nodes/0 does not have it"}
	case effects.OneSidedFrom:
		return cell{oneSided, upSince(last), fmt.Sprintf("%s sees %s, but %s does not see %s", a.Name, b.Name, b.Name, a.Name)}
	case effects.OneSidedTo:
		return cell{oneSided, downSince(last, time.Time{}), fmt.Sprintf("%s sees %s, but %s does not see %s", b.Name, a.Name, a.Name, b.Name) + because(last)}
	case effects.Missing:
		return cell{missing, downSince(last, time.Time{}), "not connected" + because(last)}
	case effects.Collateral:
		return cell{collateral, downSince(last, time.Time{}), "global dropped the connection so that partitions do not overlap: " + j.faults() + " cuts other pairs" + because(last)}
	case effects.CutOff, effects.Unnoticed:
		return j.cutOff(a, b, last)
	case effects.Absent:
		if running(a) { // it misses the other; of the other nothing is known
			return cell{missing, downSince(last, b.StoppedAt), b.Name + " " + downText(b) + because(last)}
		}
		return cell{unknown, when(a.StoppedAt), a.Name + " " + downText(a)}
	case effects.Unknown:
	}
	return cell{unknown, nil, j.silence(a, b)}
}

// cutOff returns how a sees b while a fault, or a user, keeps the two apart.
func (j judge) cutOff(a, b orchestrator.NodeStatus, last change) cell {
	c := cell{State: cut, Why: "they are disconnected on purpose"}
	if by, ok := j.cut[effects.PairOf(a.Name, b.Name)]; ok {
		c.Since, c.Why = when(by.Begin), fmt.Sprintf("%s: %s", by.ID, by)
	}
	switch {
	case slices.Contains(a.Peers, b.Name):
		c.Why += "; " + a.Name + " has not noticed yet"
	case !last.up && !last.at.IsZero():
		c.Since, c.Why = when(last.at), c.Why+because(last)
	}
	return c
}

// faults names the faults in force.
func (j judge) faults() string {
	var ids []string
	for _, f := range j.status.Faults {
		ids = append(ids, f.ID)
	}
	return strings.Join(ids, ", ")
}

// running reports whether a node can see others.
func running(n orchestrator.NodeStatus) bool {
	return n.State == orchestrator.Ready || n.State == orchestrator.Degraded || n.State == orchestrator.Running
}

// silence says why it is not known whether a and b see each other.
func (j judge) silence(a, b orchestrator.NodeStatus) string {
	switch {
	case a.Paused:
		return a.Name + " is paused"
	case b.Paused:
		return b.Name + " is paused"
	case j.health == nil:
		return a.Name + " has not been asked yet"
	}
	for _, n := range []string{a.Name, b.Name} {
		if !slices.ContainsFunc(j.health.Nodes, func(r health.NodeReport) bool { return r.Name == n && r.Sample != nil }) {
			return n + " did not answer"
		}
	}
	return "they did not say"
}

// downText says how a node that does not run is.
func downText(n orchestrator.NodeStatus) string {
	text := "is " + strings.ReplaceAll(string(n.State), "-", " ")
	if n.LastExit != nil && n.State != orchestrator.Stopped {
		text += ": " + n.LastExit.String()
	}
	return text
}

// because adds the kernel's reason.
func because(c change) string {
	if c.up || c.reason == "" {
		return ""
	}
	return " (" + c.reason + ")"
}

func upSince(c change) *time.Time {
	if !c.up {
		return nil
	}
	return when(c.at)
}

func downSince(c change, otherwise time.Time) *time.Time {
	if c.up || c.at.IsZero() {
		return when(otherwise)
	}
	return when(c.at)
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
