package health

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/network/erldist"
)

func withMnesia(name string, visible, running, nodes []string) Seen {
	return Seen{Name: name, Node: name + "@h", Sample: &Sample{Visible: visible, Mnesia: &Mnesia{Running: running, Nodes: nodes}}}
}

func TestMnesiaDoesNotShareTables(t *testing.T) {
	both, a, b := []string{"a@h", "b@h"}, []string{"a@h"}, []string{"b@h"}
	for name, tt := range map[string]struct {
		nodes []Seen
		want  map[string][]string
	}{
		"together":           {[]Seen{withMnesia("a", b, both, both), withMnesia("b", a, both, both)}, map[string][]string{}},
		"apart":              {[]Seen{withMnesia("a", b, a, both), withMnesia("b", a, b, both)}, map[string][]string{"a": {"b"}, "b": {"a"}}},
		"each by itself":     {[]Seen{withMnesia("a", b, a, a), withMnesia("b", a, b, b)}, map[string][]string{}},
		"not connected":      {[]Seen{withMnesia("a", nil, a, both), withMnesia("b", nil, b, both)}, map[string][]string{}},
		"one that is down":   {[]Seen{withMnesia("a", b, a, both), withMnesia("b", a, nil, both)}, map[string][]string{}},
		"one without Mnesia": {[]Seen{withMnesia("a", b, a, both), {Name: "b", Node: "b@h", Sample: &Sample{Visible: a}}}, map[string][]string{}},
		"one that is silent": {[]Seen{withMnesia("a", b, a, both), {Name: "b", Node: "b@h"}}, map[string][]string{}},
	} {
		if diff := cmp.Diff(tt.want, MnesiaApart(tt.nodes)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Nodes that a blip separated: the largest group is kept, and the others are restarted.
func TestHowMnesiaBecomesOneAgain(t *testing.T) {
	all := []string{"a@h", "b@h", "c@h"}
	sees := func(own string) []string {
		return slices.DeleteFunc(slices.Clone(append(all, "d@h")), func(n string) bool { return n == own })
	}
	for name, tt := range map[string]struct {
		running   map[string][]string
		kept      []string
		restarted []string
	}{
		"each alone":     {map[string][]string{"a": {"a@h"}, "b": {"b@h"}, "c": {"c@h"}}, []string{"a"}, []string{"b", "c"}},
		"two and one":    {map[string][]string{"a": {"a@h"}, "b": {"b@h", "c@h"}, "c": {"b@h", "c@h"}}, []string{"b", "c"}, []string{"a"}},
		"as one sees it": {map[string][]string{"a": {"a@h", "b@h"}, "b": {"b@h"}, "c": {"c@h"}}, []string{"a", "b"}, []string{"c"}},
	} {
		nodes := []Seen{withMnesia("d", sees("d@h"), []string{"d@h"}, []string{"d@h"})} // with a schema of its own
		for _, n := range []string{"a", "b", "c"} {
			nodes = append(nodes, withMnesia(n, sees(n+"@h"), tt.running[n], all))
		}
		kept, restarted := MnesiaKept(nodes)
		if len(kept) == 0 || kept["d"] != nil {
			t.Errorf("%s: kept %v", name, kept)
		}
		for n := range MnesiaApart(nodes) {
			if !slices.Equal(kept[n], tt.kept) || !slices.Equal(restarted[n], tt.restarted) {
				t.Errorf("%s, %s: keeps %v and restarts %v", name, n, kept[n], restarted[n])
			}
		}
	}
}

// takes takes samples of node a, which sees b and java, a node without global.
func takes(after time.Duration, earlier *Sample, pairs ...any) Sample {
	s := Sample{Time: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).Add(after)}
	s.read(told(append(pairs, "visible", erldist.List{erldist.Atom("b@h"), erldist.Atom("java@h")})...), earlier)
	s.carry(earlier)
	return s
}

func TestGlobalIsStuckAfterAWhile(t *testing.T) {
	held := func(pid, node, taken string) erldist.Tuple {
		return erldist.Tuple{[]byte(pid), erldist.Atom(node), []byte(taken)}
	}
	stuck := func(s Sample) string {
		nodes := []Seen{{Name: "a", Node: "a@h", Sample: &s}, {Name: "b", Node: "b@h", Sample: &Sample{Syncs: true}}}
		return GlobalStuck(nodes[0], nodes)
	}
	holder := held("<0.120.0>", "b@h", "#Ref<0.1>")
	first := takes(0, nil, "global_lock", holder)
	if later := takes(11*time.Second, &first, "global_lock", holder); stuck(first) != "" || stuck(later) != "process <0.120.0> of b@h has held its lock for 11s" {
		t.Errorf("a lock: %q, %q", stuck(first), stuck(later))
	}
	gone := held("<7.120.0>", "c@h", "#Ref<0.1>")
	left := takes(0, nil, "global_lock", gone)
	if later := takes(11*time.Second, &left, "global_lock", gone); stuck(later) != "process <7.120.0> of c@h, which is not connected, has held its lock for 11s" {
		t.Errorf("a lock of a node that is gone: %q", stuck(later))
	}
	if other := takes(11*time.Second, &first, "global_lock", held("<0.121.0>", "b@h", "#Ref<0.2>")); stuck(other) != "" {
		t.Errorf("the lock of another: %q", stuck(other))
	}
	// Under load, global's own processes hold it whenever a sample is taken, each time anew.
	if again := takes(11*time.Second, &first, "global_lock", held("<0.120.0>", "b@h", "#Ref<0.2>")); stuck(again) != "" {
		t.Errorf("a lock that was taken again: %q", stuck(again))
	}
	alone := takes(0, nil, "synced", erldist.List{})
	if later := takes(11*time.Second, &alone, "synced", erldist.List{}); stuck(alone) != "" || stuck(later) != "it is connected to b, and has not agreed on names with it" {
		t.Errorf("not synced: %q, %q", stuck(alone), stuck(later))
	}
	if later := takes(11*time.Second, &alone, "synced", erldist.List{erldist.Atom("b@h")}); stuck(later) != "" {
		t.Errorf("synced since: %q", stuck(later))
	}
	if unknown := takes(11*time.Second, &alone, "synced", erldist.Atom("unknown")); stuck(unknown) != "" {
		t.Errorf("unknown: %q", stuck(unknown))
	}
	if later := takes(11*time.Second, &alone, "synced", erldist.List{}); GlobalStuck(Seen{Name: "a", Node: "a@h", Sample: &later}, []Seen{{Name: "b", Node: "b@h", Sample: &Sample{}}}) != "" {
		t.Error("a peer with connect_all false is waited for")
	}
}

// Two nodes have a process each for one name of global's.
func TestDuplicateNames(t *testing.T) {
	name := func(hash int64, text string) any { return erldist.Tuple{hash, []byte(text)} }
	ledger := erldist.List{name(1, "ledger"), name(2, "{cache,a}")}
	node := func(own, peer string, seconds int, names, synced any) Seen {
		var earlier *Sample
		s := Sample{}
		for i := range seconds + 1 {
			s = Sample{Time: time.Date(2026, 1, 1, 12, 0, i, 0, time.UTC)}
			s.read(told("names", names, "synced", synced, "visible", erldist.List{erldist.Atom(peer + "@h")}), earlier)
			s.carry(earlier)
			copied := s
			earlier = &copied
		}
		return Seen{Name: own, Node: own + "@h", Sample: &s}
	}
	with := func(node string) erldist.List { return erldist.List{erldist.Atom(node + "@h")} }
	other := erldist.List{name(1, "ledger"), name(3, "{cache,a}")} // a name of the same text, which was cut
	for what, tt := range map[string]struct {
		a, b Seen
		want []Duplicate
	}{
		"duplicate":               {node("a", "b", 2, ledger, with("b")), node("b", "a", 2, other, with("a")), []Duplicate{{"ledger", []string{"a", "b"}}}},
		"moves at this moment":    {node("a", "b", 2, ledger, with("b")), node("b", "a", 0, other, with("a")), nil},
		"not synchronized yet":    {node("a", "b", 2, ledger, erldist.List{}), node("b", "a", 2, other, with("a")), nil},
		"not connected":           {node("a", "c", 2, ledger, with("b")), node("b", "c", 2, other, with("a")), nil},
		"names of each node":      {node("a", "b", 2, ledger, erldist.Atom("unknown")), node("b", "a", 2, other, erldist.Atom("unknown")), nil},
		"one process on one node": {node("a", "b", 2, ledger, with("b")), node("b", "a", 2, erldist.List{}, with("a")), nil},
	} {
		if diff := cmp.Diff(tt.want, DuplicateNames([]Seen{tt.a, tt.b, {Name: "c", Node: "c@h"}})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

// If a fault cuts a pair, its loss is the effect of the fault, and so is what global does then.
func TestWhatAFaultKeepsApart(t *testing.T) {
	nodes := cluster(3)
	nodes[0].Sample.Visible, nodes[1].Sample.Visible, nodes[2].Sample.Visible = []string{beam(1)}, []string{beam(0)}, nil
	half := Cut{ID: "f1a2", Text: "cut n1-n3, drop"}
	innocent := half
	innocent.Innocent = true
	nodes[0].Cut, nodes[2].Cut = map[string]Cut{"n3": half, "n2": innocent}, map[string]Cut{"n1": half, "n2": innocent}
	nodes[1].Cut = map[string]Cut{"n3": innocent, "n1": innocent}
	r := judged(nodes, Thresholds{})
	want := `failed formation/mesh n1: n1 is cut off from n3 by f1a2 (cut n1-n3, drop)
failed formation/mesh n2: n2 was disconnected from n3 by global, because of f1a2 (cut n1-n3, drop)
failed formation/mesh n3: n3 is cut off from n1 by f1a2 (cut n1-n3, drop), was disconnected from n2 by global, because of f1a2 (cut n1-n3, drop)`
	if got := troubles(r); got != want {
		t.Errorf("got:\n%s", got)
	}
	if !slices.Equal(texts(r.Suggestions), []string{"heal it: beamyard heal -c shop f1a2"}) {
		t.Errorf("suggested: %q", texts(r.Suggestions))
	}
	// Before the nodes notice they still see each other.
	for i := range nodes {
		nodes[i].Sample.Visible = well(i, 3).Visible
	}
	if got := troubles(judged(nodes, Thresholds{})); got != "failed formation/mesh n1: n1 is cut off from n3 by f1a2 (cut n1-n3, drop)\nfailed formation/mesh n3: n3 is cut off from n1 by f1a2 (cut n1-n3, drop)" {
		t.Errorf("before they notice:\n%s", got)
	}
}

func TestWhatNodesDoNotAgreeOnFails(t *testing.T) {
	a, b := withMnesia("a", []string{"b@h"}, []string{"a@h"}, []string{"a@h", "b@h"}), withMnesia("b", []string{"a@h"}, []string{"b@h"}, []string{"a@h", "b@h"})
	b.Sample.Time = time.Now()
	b.Sample.GlobalLock = &Lock{Pid: "<0.1.0>", Node: "b@h", Since: b.Sample.Time.Add(-time.Minute)}
	report := Judge(Observation{Nodes: []Seen{a, b}}, Expectations{Cluster: "shop"}, Thresholds{})
	failed := map[string]int{}
	for _, c := range report.Checks {
		if c.State == Failed && c.Group == Formation && len(c.Suggestion) > 0 {
			failed[c.Name]++
		}
	}
	if failed["mnesia"] != 2 || failed["global"] != 1 {
		t.Errorf("%v", failed)
	}
}
