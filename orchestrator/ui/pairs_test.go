package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// cluster is the evidence of three nodes that see each other.
func cluster() evidenceOfPairs {
	e := evidenceOfPairs{status: orchestrator.Status{Supervised: true}}
	for i := range 3 {
		n := orchestrator.NodeStatus{Name: fmt.Sprintf("n%d", i+1), State: orchestrator.Ready}
		for j := range 3 {
			if i != j {
				n.Peers = append(n.Peers, fmt.Sprintf("n%d", j+1))
			}
		}
		e.status.Nodes = append(e.status.Nodes, n)
	}
	return e
}

var base = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// saw is an entry of the journal, some seconds after the base.
func saw(seconds int, node, text string) orchestrator.JournalEntry {
	words := strings.Fields(text)
	return orchestrator.JournalEntry{Time: base.Add(time.Duration(seconds) * time.Second), Source: orchestrator.FromNode, Node: node, Peer: words[1], Text: text}
}

// lose takes away that these nodes see others: "n1 n2" means that n1 does not see n2.
func (e *evidenceOfPairs) lose(pairs ...string) {
	for _, p := range pairs {
		from, to, _ := strings.Cut(p, " ")
		for i := range e.status.Nodes {
			n := &e.status.Nodes[i]
			if n.Name == from {
				var left []string
				for _, peer := range n.Peers {
					if peer != to {
						left = append(left, peer)
					}
				}
				n.Peers = left
			}
		}
	}
}

// drawn draws a matrix: a row for each node, and below it why its pairs are as they are.
func drawn(m pairs) string {
	var b strings.Builder
	for i, row := range m.Cells {
		fmt.Fprintf(&b, "%s:", m.Nodes[i])
		for _, c := range row {
			fmt.Fprintf(&b, " %s", c.State)
		}
		b.WriteString("\n")
		for j, c := range row {
			if c.Since != nil || c.Why != "" {
				since := ""
				if c.Since != nil {
					since = fmt.Sprintf(" since +%ds", int(c.Since.Sub(base).Seconds()))
				}
				fmt.Fprintf(&b, "  %s%s: %s\n", m.Nodes[j], since, c.Why)
			}
		}
	}
	return b.String()
}

func TestMatrix(t *testing.T) {
	partition := func(how fault.How, groups ...[]string) fault.Fault {
		f := fault.Partition(groups...)
		f.ID, f.How, f.Begin = "f1", how, base.Add(time.Second)
		return f
	}
	for _, tc := range []struct {
		what string
		with func(*evidenceOfPairs)
		want string
	}{
		{"every pair is connected", func(e *evidenceOfPairs) {
			e.journal = []orchestrator.JournalEntry{saw(1, "n1", "nodeup n2"), saw(2, "n1", "nodedown n2 (connection_closed)"), saw(3, "n1", "nodeup n2"), {Source: orchestrator.FromEngine, Node: "n1", Text: "nodedown n3"}}
		}, `n1: self connected connected
  n2 since +3s: 
n2: connected self connected
n3: connected connected self
`},
		{"a node crashed", func(e *evidenceOfPairs) {
			e.status.Nodes[1] = orchestrator.NodeStatus{Name: "n2", State: orchestrator.BackingOff, StoppedAt: base.Add(4 * time.Second), LastExit: &orchestrator.Exit{Class: orchestrator.ExitKilled, Code: 137}}
			e.lose("n1 n2", "n3 n2")
			e.journal = []orchestrator.JournalEntry{saw(5, "n1", "nodedown n2 (connection_closed)")}
		}, `n1: self missing connected
  n2 since +5s: n2 is backing off: killed (exit 137) (connection_closed)
n2: unknown self unknown
  n1 since +4s: n2 is backing off: killed (exit 137)
  n3 since +4s: n2 is backing off: killed (exit 137)
n3: connected missing self
  n2 since +4s: n2 is backing off: killed (exit 137)
`},
		{"a fault that was noticed, and one side that has not noticed", func(e *evidenceOfPairs) {
			e.status.Faults = []fault.Fault{partition(fault.Drop, []string{"n1"})}
			e.lose("n1 n2", "n2 n1", "n1 n3")
			e.journal = []orchestrator.JournalEntry{saw(8, "n1", "nodedown n2 (net_tick_timeout)"), saw(9, "n2", "nodedown n1 (net_tick_timeout)")}
		}, `n1: self cut cut
  n2 since +8s: f1: partition n1 | the rest, drop (net_tick_timeout)
  n3 since +1s: f1: partition n1 | the rest, drop
n2: cut self connected
  n1 since +9s: f1: partition n1 | the rest, drop (net_tick_timeout)
n3: cut connected self
  n1 since +1s: f1: partition n1 | the rest, drop; n3 has not noticed yet
`},
		{"one direction is cut: both ends lose it", func(e *evidenceOfPairs) {
			f := fault.OneWay(fault.Pair{From: "n1", To: "n2"})
			f.ID, f.How, f.Begin = "f1", fault.Reset, base
			e.status.Faults = []fault.Fault{f}
			e.lose("n1 n2", "n2 n1")
		}, `n1: self cut connected
  n2 since +0s: f1: cut n1→n2, reset
n2: cut self connected
  n1 since +0s: f1: cut n1→n2, reset
n3: connected connected self
`},
		{"global drops a pair that the fault does not cut", func(e *evidenceOfPairs) {
			f := fault.OneWay(fault.Pair{From: "n1", To: "n2"}, fault.Pair{From: "n2", To: "n1"})
			f.ID, f.How, f.Begin = "f1", fault.Drop, base
			e.status.Faults = []fault.Fault{f}
			e.lose("n1 n2", "n2 n1", "n3 n1", "n1 n3")
			e.journal = []orchestrator.JournalEntry{saw(7, "n3", "nodedown n1 (disconnect)")}
		}, `n1: self cut collateral
  n2 since +0s: f1: cut n1-n2, drop
  n3: global dropped the connection so that partitions do not overlap: f1 cuts other pairs
n2: cut self connected
  n1 since +0s: f1: cut n1-n2, drop
n3: collateral connected self
  n1 since +7s: global dropped the connection so that partitions do not overlap: f1 cuts other pairs (disconnect)
`},
		{"global is told to leave pairs alone", func(e *evidenceOfPairs) {
			e.health = &orchestrator.HealthReport{}
			for _, n := range e.status.Nodes {
				e.health.Nodes = append(e.health.Nodes, health.NodeReport{Name: n.Name, Sample: &health.Sample{}})
			}
			f := fault.OneWay(fault.Pair{From: "n1", To: "n2"})
			f.ID, f.How, f.Begin = "f1", fault.Drop, base
			e.status.Faults = []fault.Fault{f}
			e.lose("n1 n2", "n2 n1", "n3 n1", "n1 n3")
		}, `n1: self cut missing
  n2 since +0s: f1: cut n1→n2, drop
  n3: not connected
n2: cut self connected
  n1 since +0s: f1: cut n1→n2, drop
n3: missing connected self
  n1: not connected
`},
		{"a reset drops more pairs in passing", func(e *evidenceOfPairs) {
			e.status.Faults = []fault.Fault{partition(fault.Reset, []string{"n1"})}
			e.lose("n1 n2", "n2 n1", "n1 n3", "n3 n1", "n2 n3", "n3 n2")
		}, `n1: self cut cut
  n2 since +1s: f1: partition n1 | the rest, reset
  n3 since +1s: f1: partition n1 | the rest, reset
n2: cut self collateral
  n1 since +1s: f1: partition n1 | the rest, reset
  n3: global dropped the connection so that partitions do not overlap: f1 cuts other pairs
n3: cut collateral self
  n1 since +1s: f1: partition n1 | the rest, reset
  n2: global dropped the connection so that partitions do not overlap: f1 cuts other pairs
`},
		{"one side sees the other", func(e *evidenceOfPairs) {
			e.lose("n2 n1")
			e.journal = []orchestrator.JournalEntry{saw(1, "n1", "nodeup n2"), saw(2, "n2", "nodedown n1 (connection_closed)")}
		}, `n1: self one-sided connected
  n2 since +1s: n1 sees n2, but n2 does not see n1
n2: one-sided self connected
  n1 since +2s: n1 sees n2, but n2 does not see n1 (connection_closed)
n3: connected connected self
`},
		{"a hidden connection", func(e *evidenceOfPairs) {
			e.lose("n1 n2", "n2 n1")
			e.health = &orchestrator.HealthReport{Report: health.Report{Matrix: health.Matrix{Nodes: []string{"n1", "n2"}, Rows: [][]health.Sight{{"", health.SeesHidden}, {health.SeesHidden, ""}}}}}
		}, `n1: self hidden connected
  n2: connected, but hidden: erlang:nodes/0 does not have it
n2: hidden self connected
  n1: connected, but hidden: erlang:nodes/0 does not have it
n3: connected connected self
`},
		{"a node that starts, and one that is paused", func(e *evidenceOfPairs) {
			e.status.Nodes[0].State = orchestrator.Starting
			e.status.Nodes[1].Paused = true
			e.lose("n1 n2", "n1 n3", "n2 n1", "n3 n1", "n3 n2", "n2 n3")
		}, `n1: self unknown unknown
  n2: n1 is starting
  n3: n1 is starting
n2: missing self unknown
  n1: n1 is starting
  n3: n2 is paused
n3: missing unknown self
  n1: n1 is starting
  n2: n2 is paused
`},
		{"nodes that a user keeps apart", func(e *evidenceOfPairs) {
			e.status.Nodes[0].Cut = []string{"n2"}
			e.lose("n1 n2", "n2 n1")
			e.journal = []orchestrator.JournalEntry{saw(3, "n1", "nodedown n2 (disconnect)")}
		}, `n1: self cut connected
  n2 since +3s: they are disconnected on purpose (disconnect)
n2: cut self connected
  n1: they are disconnected on purpose
n3: connected connected self
`},
		{"without a supervisor the report tells", func(e *evidenceOfPairs) {
			e.status.Supervised = false
			for i := range e.status.Nodes {
				e.status.Nodes[i].State, e.status.Nodes[i].Peers = orchestrator.Running, nil
			}
			e.health = &orchestrator.HealthReport{Report: health.Report{Matrix: health.Matrix{Nodes: []string{"n1", "n2", "n3"}, Rows: [][]health.Sight{
				{"", health.SeesVisible, health.SeesNot}, {health.SeesVisible, "", health.SeesVisible}, {health.SeesUnknown, health.SeesUnknown, ""},
			}}}}
			e.health.Nodes = []health.NodeReport{{Name: "n1", Sample: &health.Sample{}}, {Name: "n2", Sample: &health.Sample{}}, {Name: "n3"}}
		}, `n1: self connected unknown
  n3: n3 did not answer
n2: connected self unknown
  n3: n3 did not answer
n3: unknown unknown self
  n1: n3 did not answer
  n2: n3 did not answer
`},
		{"without a supervisor, before a report", func(e *evidenceOfPairs) {
			e.status.Supervised, e.status.Nodes = false, e.status.Nodes[:2]
		}, `n1: self unknown
  n2: n1 has not been asked yet
n2: unknown self
  n1: n2 has not been asked yet
`},
		{"no nodes", func(e *evidenceOfPairs) { e.status.Nodes = nil }, ""},
	} {
		t.Run(tc.what, func(t *testing.T) {
			e := cluster()
			tc.with(&e)
			if got := drawn(matrix(e, base.Add(time.Minute))); got != tc.want {
				t.Errorf("it is\n%s", got)
			}
		})
	}
}
