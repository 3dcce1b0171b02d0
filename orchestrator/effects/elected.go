package effects

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
)

// Vote is what the nodes answered at one time when they were asked for their leader.
type Vote struct {
	// After is the time since the fault began, when they were asked; less than 0 before it.
	After time.Duration
	// Names are the leaders by the node that named them: "" for none. A node that did not answer
	// is absent.
	Names map[string]string
}

// Elected is the leader of nodes that see each other.
type Elected struct {
	Nodes []string `json:"nodes"`
	// Leader is one of Nodes, and all of them that answered last name it, itself among them; ""
	// if there is none.
	Leader string `json:"leader,omitempty"`
	// After is the time from the begin of the fault until they named it, in nanoseconds, and went
	// on to do so. It is 0 if they did before the fault, and throughout.
	After time.Duration `json:"after,omitempty"`
	// Before is the leader before the fault; "" if there was none, or it is not known.
	Before string `json:"before,omitempty"`
}

// Elections returns the leaders of these groups of nodes, each of which sees no node of another
// one. The votes are in the order of their times.
func Elections(votes []Vote, groups [][]string) []Elected {
	var all []Elected
	for _, group := range groups {
		e := Elected{Nodes: group}
		since, named, before := time.Duration(0), "", true // since the first vote
		for _, v := range votes {
			if v.After < 0 {
				e.Before = v.common()
			}
			if leader := v.of(group); leader != named {
				named, since = leader, v.After
				before = v.After < 0
			}
		}
		if e.Leader = named; named != "" && !before {
			e.After = since
		}
		all = append(all, e)
	}
	return all
}

// of returns the leader that all members of a group that answer name, if it is one of those.
func (v Vote) of(group []string) string {
	leader := ""
	for _, node := range group {
		named, answered := v.Names[node]
		switch {
		case !answered:
		case !slices.Contains(group, named), leader != "" && leader != named:
			return ""
		default:
			leader = named
		}
	}
	if _, answers := v.Names[leader]; !answers {
		return ""
	}
	return leader
}

// common returns the leader that all nodes that answer name.
func (v Vote) common() string {
	leader := ""
	for _, named := range v.Names {
		if named == "" || leader != "" && named != leader {
			return ""
		}
		leader = named
	}
	return leader
}

// String is a line of a report: "n2, n3 name n2, after 4.6s".
func (e Elected) String() string {
	nodes, verb := strings.Join(e.Nodes, ", "), "name"
	if len(e.Nodes) == 1 {
		verb = "names"
	}
	switch {
	case e.Leader == "":
		return fmt.Sprintf("%s %s no leader of their own", nodes, verb)
	case e.After == 0:
		return fmt.Sprintf("%s %s %s, as before", nodes, verb, e.Leader)
	case e.Leader == e.Before:
		return fmt.Sprintf("%s %s %s again, after %s", nodes, verb, e.Leader, short(e.After))
	}
	return fmt.Sprintf("%s %s %s, after %s", nodes, verb, e.Leader, short(e.After))
}

// Sides returns the groups of nodes that still see each other, directly or by others, while these
// faults are in force: the largest first. A connection needs both directions.
func Sides(names []string, faults ...fault.Fault) [][]string {
	of := groups(names, Cut(names, faults...))
	var sides [][]string
	placed := map[string]bool{}
	for _, first := range names {
		if placed[first] {
			continue
		}
		side := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !slices.Contains(of[first], n) })
		for _, n := range side {
			placed[n] = true
		}
		sides = append(sides, side)
	}
	slices.SortStableFunc(sides, func(a, b []string) int { return len(b) - len(a) })
	return sides
}
