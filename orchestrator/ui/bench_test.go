package ui

import (
	"fmt"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

// fifty is a watched cluster of fifty nodes with a long journal and a fault in force.
func fifty() (*feed, orchestrator.Status) {
	f := newFeed(nil, "demo")
	spec := orchestrator.Spec{Name: "demo", Cookie: theCookie, Nodes: orchestrator.NodeNames(50)}.Defaulted()
	st := orchestrator.Status{Cluster: "demo", Supervised: true}
	at := time.Now()
	for _, n := range spec.Nodes {
		node := orchestrator.NodeStatus{Name: n.Name, Node: "app@" + n.Name + ".demo.test", State: orchestrator.Ready, URL: "http://127.0.0.1:4200"}
		for _, p := range spec.Nodes {
			if p.Name != n.Name {
				node.Peers = append(node.Peers, p.Name)
				f.known.journal = append(f.known.journal, orchestrator.JournalEntry{Time: at, Source: orchestrator.FromNode, Node: n.Name, Peer: p.Name, Text: "nodeup " + p.Name})
			}
		}
		st.Nodes = append(st.Nodes, node)
	}
	cut := fault.Partition(names(spec)[:25])
	cut.ID = "f1"
	st.Faults = []fault.Fault{cut}
	f.begin(&Cluster{Spec: spec, Supervised: true}, st)
	return f, st
}

// A status that changed, of fifty nodes: it is told four times a second at most.
func BenchmarkStatusOfFiftyNodes(b *testing.B) {
	f, st := fifty()
	i := 0
	for b.Loop() {
		i++
		st.Nodes[0].RestartCount = i
		f.mu.Lock()
		f.tellStatus(st)
		f.mu.Unlock()
	}
}

func BenchmarkLine(b *testing.B) {
	f, _ := fifty()
	i := 0
	for b.Loop() {
		i++
		f.takeLine(orchestrator.Line{Node: "n1", Stream: orchestrator.Stdout, Seq: uint64(i), Time: time.Now(), Text: fmt.Sprintf("12:00:00.000 [info] request %d took 12 ms", i)})
		if i%100 == 0 {
			f.board.addLines(f.pending)
			f.pending = nil
		}
	}
}
