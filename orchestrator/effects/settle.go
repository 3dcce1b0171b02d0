package effects

import (
	"fmt"
	"slices"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// This file says what to wait for after a heal.

const (
	// settleSoon is how long Mnesia and global get to decide after nodes are connected again.
	settleSoon = time.Second
	// settleMost bounds the wait for a tick: with a net_ticktime of a minute it is a quarter of
	// one.
	settleMost = 5 * time.Second
)

// Whole reports whether all nodes that run see each other, except the pairs that faults still in
// force, or a user, keep apart. What else keeps a node from being Ready does not count: a fault can
// leave an application that does not recover. Until the supervisor knows that the faults with these
// IDs are healed, the cluster is not whole.
func Whole(st orchestrator.Status, healed ...string) bool {
	for _, f := range st.Faults {
		if slices.Contains(healed, f.ID) {
			return false
		}
	}
	var names []string
	for _, n := range st.Nodes {
		names = append(names, n.Name)
	}
	kept := keptApart(names, st.Faults)
	alone := func(n orchestrator.NodeStatus) bool { // it does not see others, or nothing is known of it
		return !n.State.Running() || n.Paused || slices.ContainsFunc(st.Faults, func(f fault.Fault) bool { return f.CutsHost(n.Name) })
	}
	for _, a := range st.Nodes {
		for _, b := range st.Nodes {
			apart := kept[PairOf(a.Name, b.Name)] || slices.Contains(a.Cut, b.Name) || a.Name == b.Name || alone(a) || alone(b)
			if !apart && !slices.Contains(a.Peers, b.Name) {
				return false
			}
		}
	}
	return true
}

// keptApart returns the pairs that faults can keep apart, whatever the nodes are set to.
func keptApart(names []string, faults []fault.Fault) map[Pair]bool {
	kept := map[Pair]bool{}
	for p := range Cut(names, faults...) {
		kept[p] = true
	}
	for p := range Innocent(names, func(string) bool { return true }, faults...) {
		kept[p] = true
	}
	return kept
}

// Settle returns how long to wait after the nodes are connected again until what they make of a
// fault shows. A pair that did not notice the fault can still break within one tick: its
// connection was silent for most of net_ticktime.
func Settle(unnoticed []Pair, kernels map[string]Kernel) time.Duration {
	wait := settleSoon
	for _, n := range namesIn(unnoticed) {
		if k, ok := kernels[n]; ok {
			wait = max(wait, min(k.oneTick()+settleSoon, settleMost))
		}
	}
	return wait
}

// Undecided describes what global of each node still waits for, and is not yet too late with: a
// report can ask again.
func Undecided(r health.Report) []string {
	var waits []string
	for _, n := range r.Nodes {
		s := n.Sample
		if s == nil {
			continue
		}
		if l := s.GlobalLock; l != nil && s.Time.Sub(l.Since) < health.StuckAfter {
			waits = append(waits, fmt.Sprintf("global of %s: process %s of %s holds its lock", n.Name, l.Pid, l.Node))
		}
		for _, peer := range r.Nodes {
			since, ok := s.Unsynced[peer.Node]
			if ok && peer.Sample != nil && peer.Sample.Syncs && s.Time.Sub(since) < health.StuckAfter {
				waits = append(waits, fmt.Sprintf("global of %s has not agreed on names with %s yet", n.Name, peer.Name))
			}
		}
	}
	return waits
}
