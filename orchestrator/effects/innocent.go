package effects

import (
	"slices"

	"github.com/beamyard/beamyard/network/fault"
)

// Pair is two nodes, in the order of their names.
type Pair struct {
	A string `json:"a"`
	B string `json:"b"`
}

// PairOf returns the pair of two nodes.
func PairOf(a, b string) Pair {
	if b < a {
		a, b = b, a
	}
	return Pair{a, b}
}

func (p Pair) String() string { return p.A + "-" + p.B }

// Cut returns the pairs that these faults keep from being connected, with the first fault that
// does. A connection needs both directions.
func Cut(names []string, faults ...fault.Fault) map[Pair]fault.Fault {
	cut := map[Pair]fault.Fault{}
	for _, f := range faults {
		for _, p := range f.Cuts(names) {
			if pair := PairOf(p.From, p.To); cut[pair].ID == "" {
				cut[pair] = f
			}
		}
	}
	return cut
}

// Innocent returns the pairs that no fault cuts, and that global can disconnect all the same, with
// the fault because of which it does. Only nodes that prevent overlapping partitions take part:
// those report whom they lost, and drop whom others lost.
func Innocent(names []string, prevents func(node string) bool, faults ...fault.Fault) map[Pair]fault.Fault {
	cut := Cut(names, faults...)
	return dropped(names, prevents, cut, cut)
}

// Passing returns the pairs besides those of [Innocent] that global can disconnect in the moment in
// which a fault closes connections: it closes one after the other, and over those that are left a
// node reports to the other side whom it lost. Such pairs can connect again at once. Silence lets
// no such report through.
func Passing(names []string, prevents func(node string) bool, f fault.Fault) map[Pair]fault.Fault {
	passing := map[Pair]fault.Fault{}
	if f.How == fault.Drop || f.How == "" {
		return passing
	}
	cut := Cut(names, f)
	innocent := dropped(names, prevents, cut, cut)
	for p := range dropped(names, prevents, cut, nil) {
		if _, known := innocent[p]; !known {
			passing[p] = f
		}
	}
	return passing
}

// dropped returns the pairs without those in cut that global can disconnect because of them, while
// the pairs in silent pass no reports on.
func dropped(names []string, prevents func(node string) bool, cut, silent map[Pair]fault.Fault) map[Pair]fault.Fault {
	pairs := map[Pair]fault.Fault{}
	together := groups(names, silent)
	for lost, f := range cut {
		for _, ends := range [][2]string{{lost.A, lost.B}, {lost.B, lost.A}} {
			reporter, gone := ends[0], ends[1]
			if !prevents(reporter) {
				continue
			}
			for _, hears := range together[reporter] {
				pair := PairOf(hears, gone)
				if _, isCut := cut[pair]; hears == gone || isCut || !prevents(hears) {
					continue // also the reporter itself: its pair is cut
				}
				if known, ok := pairs[pair]; !ok || f.ID < known.ID {
					pairs[pair] = f
				}
			}
		}
	}
	return pairs
}

// groups returns, for each node, the nodes that get its messages, directly or through others, and
// itself. The nodes of a group share one list: 50 nodes have 1225 pairs that can be cut.
func groups(names []string, cut map[Pair]fault.Fault) map[string][]string {
	of := map[string][]string{}
	for _, first := range names {
		if of[first] != nil {
			continue
		}
		group, left := []string{first}, slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == first || of[n] != nil })
		for i := 0; i < len(group); i++ {
			left = slices.DeleteFunc(left, func(n string) bool {
				_, isCut := cut[PairOf(group[i], n)]
				if !isCut {
					group = append(group, n)
				}
				return !isCut
			})
		}
		for _, n := range group {
			of[n] = group
		}
	}
	return of
}
