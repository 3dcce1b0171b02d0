package effects

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
)

func TestElections(t *testing.T) {
	t.Parallel()
	// "n1=n1 n2=n1 n3=" at a time in seconds; a node that is left out does not answer.
	vote := func(after float64, text string) Vote {
		v := Vote{After: time.Duration(after * float64(time.Second)), Names: map[string]string{}}
		for _, part := range strings.Fields(text) {
			node, leader, _ := strings.Cut(part, "=")
			v.Names[node] = leader
		}
		return v
	}
	all := [][]string{{"n1", "n2", "n3"}}
	for name, c := range map[string]struct {
		votes  []Vote
		groups [][]string
		want   string
	}{
		"it stays":                       {[]Vote{vote(-1, "n1=n1 n2=n1 n3=n1"), vote(0.1, "n1=n1 n2=n1 n3=n1")}, all, "n1, n2, n3 name n1, as before"},
		"it dies, and another one is":    {[]Vote{vote(-1, "n1=n1 n2=n1 n3=n1"), vote(0.1, "n2=n1 n3=n1"), vote(0.5, "n2=n2 n3="), vote(1.5, "n2=n2 n3=n2"), vote(2, "n2=n2 n3=n2")}, all, "n1, n2, n3 name n2, after 1.5s"},
		"it dies, and is named again":    {[]Vote{vote(-1, "n1=n1 n2=n1 n3=n1"), vote(0.1, "n2=n1 n3=n1"), vote(3, "n1=n1 n2=n1 n3=n1")}, all, "n1, n2, n3 name n1 again, after 3s"},
		"it changes its mind":            {[]Vote{vote(-1, "n1=n1 n2=n1"), vote(1, "n1=n2 n2=n2"), vote(2, "n1=n1 n2=n1")}, all, "n1, n2, n3 name n1 again, after 2s"},
		"there was none":                 {[]Vote{vote(-1, "n1= n2="), vote(1, "n1=n2 n2=n2")}, all, "n1, n2, n3 name n2, after 1s"},
		"a dead one is still named":      {[]Vote{vote(-1, "n1=n1 n2=n1"), vote(1, "n2=n1 n3=n1")}, all, "n1, n2, n3 name no leader of their own"},
		"they do not agree":              {[]Vote{vote(-1, "n1=n1 n2=n1"), vote(1, "n1=n1 n2=n2")}, all, "n1, n2, n3 name no leader of their own"},
		"nobody answers":                 {[]Vote{vote(-1, "")}, all, "n1, n2, n3 name no leader of their own"},
		"two sides, and two leaders":     {[]Vote{vote(-1, "n1=n1 n2=n1 n3=n1"), vote(1, "n1=n1 n2=n1 n3=n1"), vote(4.62, "n1=n1 n2=n2 n3=n2")}, [][]string{{"n2", "n3"}, {"n1"}}, "n2, n3 name n2, after 4.62s; n1 names n1, as before"},
		"the other side's is not theirs": {[]Vote{vote(-1, "n1=n1 n2=n1 n3=n1"), vote(1, "n1=n1 n2=n1 n3=n1")}, [][]string{{"n2", "n3"}, {"n1"}}, "n2, n3 name no leader of their own; n1 names n1, as before"},
	} {
		var got []string
		for _, e := range Elections(c.votes, c.groups) {
			got = append(got, e.String())
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestSides(t *testing.T) {
	t.Parallel()
	names := []string{"n1", "n2", "n3", "n4", "n5"}
	for name, c := range map[string]struct {
		fault fault.Fault
		want  string
	}{
		"one alone":   {fault.Isolate("n1"), "n2 n3 n4 n5|n1"},
		"all alone":   {fault.Isolate(names...), "n1|n2|n3|n4|n5"},
		"a ring":      {fault.Ring(names), "n1 n2 n3 n4 n5"},
		"a bridge":    {fault.Bridge(names, "n3"), "n1 n2 n3 n4 n5"},
		"one way":     {fault.OneWay(fault.Pair{From: "n1", To: "n2"}), "n1 n2 n3 n4 n5"},
		"two and two": {fault.Partition([]string{"n4", "n2"}), "n1 n3 n5|n2 n4"},
	} {
		var got []string
		for _, side := range Sides(names, c.fault) {
			got = append(got, strings.Join(side, " "))
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if sides := Sides(names); len(sides) != 1 || !slices.Equal(sides[0], names) {
		t.Errorf("without a fault: %q", sides)
	}
}
