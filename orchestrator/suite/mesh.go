package suite

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

// This file judges what the nodes see of each other. It is pure.

// unsettled says what a cluster still lacks, or "" if it is whole: each node that runs is Ready,
// and sees every other. Nodes that are down or paused do not count, nor those that wait for their
// restart and are among these, nor pairs that a fault cuts.
func unsettled(spec orchestrator.Spec, st orchestrator.Status, without map[string]bool) string {
	cut := cutPairs(st)
	up := slices.DeleteFunc(slices.Clone(st.Nodes), func(n orchestrator.NodeStatus) bool {
		return n.State.Final() || n.Paused || n.State == orchestrator.BackingOff && without[n.Name]
	})
	var lacks []string
	for _, n := range up {
		apart := func(p orchestrator.NodeStatus) bool {
			return cut[fault.Pair{From: n.Name, To: p.Name}] || slices.Contains(n.Cut, p.Name) || slices.Contains(p.Cut, n.Name)
		}
		switch {
		case n.State == orchestrator.Ready:
		case n.State == orchestrator.Degraded && slices.ContainsFunc(st.Nodes, apart):
		case n.Reason != "":
			lacks = append(lacks, fmt.Sprintf("%s is %s: %s", n.Name, n.State, n.Reason))
			continue
		default:
			lacks = append(lacks, fmt.Sprintf("%s is %s", n.Name, n.State))
			continue
		}
		if spec.Mesh == orchestrator.MeshApp || spec.Mesh == orchestrator.MeshNone {
			continue
		}
		for _, p := range up {
			if p.Name != n.Name && !apart(p) && !slices.Contains(n.Peers, p.Name) {
				lacks = append(lacks, fmt.Sprintf("%s does not see %s", n.Name, p.Name))
			}
		}
	}
	return strings.Join(lacks, "; ")
}

// knows reports whether a supervisor knows which faults are in force: it learns that from the
// engine's events.
func knows(st orchestrator.Status, inForce []fault.Fault, now time.Time) bool {
	ids := func(all []fault.Fault) []string {
		var ids []string
		for _, f := range all {
			if !f.Ended(now) {
				ids = append(ids, f.ID)
			}
		}
		return slices.Sorted(slices.Values(ids))
	}
	return slices.Equal(ids(st.Faults), ids(inForce))
}

// cutPairs returns the pairs that faults cut in one direction at least: a connection needs both.
func cutPairs(st orchestrator.Status) map[fault.Pair]bool {
	var names []string
	for _, n := range st.Nodes {
		names = append(names, n.Name)
	}
	cut := map[fault.Pair]bool{}
	for _, f := range st.Faults {
		for _, p := range f.Cuts(names) {
			cut[p], cut[fault.Pair{From: p.To, To: p.From}] = true, true
		}
	}
	return cut
}

// seen returns which node sees which.
func seen(st orchestrator.Status) map[fault.Pair]bool {
	all := map[fault.Pair]bool{}
	for _, n := range st.Nodes {
		for _, p := range n.Peers {
			all[fault.Pair{From: n.Name, To: p}] = true
		}
	}
	return all
}

// bothEnds returns the pairs, and their other directions.
func bothEnds(pairs []fault.Pair) []fault.Pair {
	var all []fault.Pair
	for _, p := range pairs {
		for _, end := range []fault.Pair{p, {From: p.To, To: p.From}} {
			if !slices.Contains(all, end) {
				all = append(all, end)
			}
		}
	}
	return all
}

// unnoticed returns the pairs whose first node has not lost its second since.
func unnoticed(pairs []fault.Pair, journal []orchestrator.JournalEntry, since time.Time) []fault.Pair {
	return slices.DeleteFunc(slices.Clone(pairs), func(p fault.Pair) bool {
		return slices.ContainsFunc(journal, func(e orchestrator.JournalEntry) bool {
			return e.Source == orchestrator.FromNode && e.Node == p.From && e.Peer == p.To && e.Time.After(since) && strings.HasPrefix(e.Text, "nodedown")
		})
	})
}
