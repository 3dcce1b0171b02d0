package fault

import (
	"math/rand/v2"
	"slices"
)

// Partition separates groups of nodes. Nodes that are in none of them form one more group.
func Partition(groups ...[]string) Fault { return Fault{Kind: KindPartition, Groups: groups} }

// Isolate separates each of some nodes from all others.
func Isolate(names ...string) Fault {
	f := Fault{Kind: KindPartition}
	for _, name := range names {
		f.Groups = append(f.Groups, []string{name})
	}
	return f
}

// Halves separates the first half of the nodes, which is the larger one of an odd number,
// from the second.
func Halves(names []string) Fault {
	first, second := halve(names)
	return Partition(first, second)
}

func halve(names []string) (first, second []string) {
	middle := (len(names) + 1) / 2
	return names[:middle], names[middle:]
}

// Majority separates the smallest majority from the rest. A seed chooses its nodes; it is
// the majority that the fault names. It needs two nodes.
func Majority(names []string, seed uint64) Fault {
	return Partition(choose(names, len(names)/2+1, random(seed)))
}

// Minority separates the largest minority from the rest. A seed chooses its nodes; it is
// the minority that the fault names. It needs three nodes.
func Minority(names []string, seed uint64) Fault {
	return Partition(choose(names, (len(names)-1)/2, random(seed)))
}

// Random separates a group of random size and members from the rest. It needs two nodes.
func Random(names []string, seed uint64) Fault {
	r := random(seed)
	return Partition(choose(names, 1+r.IntN(max(1, len(names)-1)), r))
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// choose returns some of the nodes, in their order.
func choose(names []string, count int, r *rand.Rand) []string {
	chosen := r.Perm(len(names))[:min(count, len(names))]
	slices.Sort(chosen)
	group := make([]string, len(chosen))
	for i, c := range chosen {
		group[i] = names[c]
	}
	return group
}

// Bridge has one node that sees all others, while those are in two halves that do not see
// each other. It needs three nodes.
func Bridge(names []string, bridge string) Fault {
	f := Fault{Kind: KindCut}
	first, second := halve(slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == bridge }))
	for _, a := range first {
		for _, b := range second {
			f.Pairs = append(f.Pairs, Pair{a, b}, Pair{b, a})
		}
	}
	return f
}

// Ring has each node see only its two neighbours, in the order given, the last being a
// neighbour of the first. It needs four nodes.
func Ring(names []string) Fault {
	f := Fault{Kind: KindCut}
	for i, from := range names {
		for j, to := range names {
			if distance := (j - i + len(names)) % len(names); distance > 1 && distance < len(names)-1 {
				f.Pairs = append(f.Pairs, Pair{from, to})
			}
		}
	}
	return f
}

// OneWay cuts single directions: To does not get what From sends.
func OneWay(pairs ...Pair) Fault { return Fault{Kind: KindCut, Pairs: pairs} }

// Link changes the quality of single directions.
func Link(q Quality, pairs ...Pair) Fault { return Fault{Kind: KindLink, Pairs: pairs, Quality: q} }
