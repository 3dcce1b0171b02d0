package placement

import (
	"maps"
	"slices"
)

// Place returns the host of each node. on has the hosts of the nodes that have one already, and ""
// for the others; room has, for each host that nodes may be placed on, the maximum of its nodes, 0
// for no limit. Nodes that have a host count against its maximum, wherever they are in the list.
// The others go to the host with the fewest nodes, of equal ones to the first by its name; or, if
// pack is true, to the first that has room. A node for which no host has room stays "".
func Place(on []string, room map[string]int, pack bool) []string {
	placed, names, count := slices.Clone(on), slices.Sorted(maps.Keys(room)), map[string]int{}
	for _, host := range on {
		count[host]++
	}
	for i, host := range placed {
		if host != "" {
			continue
		}
		best := ""
		for _, name := range names {
			free := room[name] == 0 || count[name] < room[name]
			if free && (best == "" || !pack && count[name] < count[best]) {
				best = name
			}
		}
		placed[i] = best
		count[best]++
	}
	return placed
}
