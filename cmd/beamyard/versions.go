package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// nodeVersions are the releases that a node runs, and what its handshake says.
type nodeVersions struct {
	discovery.Versions
	// Flags are the capabilities that the node announces to its peers, without DFLAG_.
	Flags []string `json:"distribution_flags"`
	// Differ are the nodes that announce others.
	Differ []flagDifference `json:"distribution_differs,omitempty"`
}

// flagDifference is how the flags of a node differ from those of another one.
type flagDifference struct {
	Node  string   `json:"node"`            // the other one
	Lacks []string `json:"lacks,omitempty"` // what the other one has alone
	Has   []string `json:"has,omitempty"`   // what the other one lacks
}

// versions asks the nodes of a cluster what they run. The result is nil if this one does not
// answer soon.
func (a *app) versions(ctx context.Context, eng orchestrator.Engine, found discovery.Cluster, node string) *nodeVersions {
	asking, cancel := context.WithTimeout(ctx, supervisorPatience)
	defer cancel()
	all, err := found.Versions(asking, eng)
	own, answers := all[node]
	if err != nil || !answers {
		return nil
	}
	return &nodeVersions{own, own.Flags.Names(), flagDifferences(all, node)}
}

// flagDifferences compares the flags of a node with those of the others. Pure.
func flagDifferences(all map[string]discovery.Versions, node string) []flagDifference {
	own := all[node].Flags
	var differ []flagDifference
	for _, other := range slices.Sorted(maps.Keys(all)) {
		theirs := all[other].Flags
		d := flagDifference{other, (theirs &^ own).Names(), (own &^ theirs).Names()}
		if len(d.Lacks)+len(d.Has) > 0 {
			differ = append(differ, d)
		}
	}
	return differ
}

// runs names the releases: "OTP 27 (ERTS 15.2.3), Elixir 1.18.3".
func (v nodeVersions) runs() string {
	text := fmt.Sprintf("OTP %s (ERTS %s)", v.OTP, v.ERTS)
	if v.Elixir != "" {
		text += ", Elixir " + v.Elixir
	}
	return text
}

// differs has a line for each node whose flags are others.
func (v nodeVersions) differs() string {
	var lines []string
	for _, d := range v.Differ {
		var parts []string
		if len(d.Lacks) > 0 {
			parts = append(parts, fmt.Sprintf("lacks %s, which %s has", strings.Join(d.Lacks, " "), d.Node))
		}
		if len(d.Has) > 0 {
			parts = append(parts, fmt.Sprintf("has %s, which %s lacks", strings.Join(d.Has, " "), d.Node))
		}
		lines = append(lines, strings.Join(parts, "; "))
	}
	if lines == nil {
		return "as those of the other nodes that answer"
	}
	return strings.Join(lines, "\n")
}
