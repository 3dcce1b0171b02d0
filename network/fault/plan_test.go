package fault

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	three = []string{"n1", "n2", "n3"}
	four  = []string{"n1", "n2", "n3", "n4"}
	five  = []string{"n1", "n2", "n3", "n4", "n5"}
)

// graph shows who gets what each node sends, by numbers: "1→23" if n1 reaches n2 and n3.
func graph(names []string, cuts []Pair) string {
	var words []string
	for _, from := range names {
		word := from[1:] + "→"
		for _, to := range names {
			if to != from && !slices.Contains(cuts, Pair{from, to}) {
				word += to[1:]
			}
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestShapes(t *testing.T) {
	for _, test := range []struct {
		name  string
		nodes []string
		fault Fault
		want  string
	}{
		{"nothing", three, Fault{Kind: KindPartition}, "1→23 2→13 3→12"},
		{"two groups", three, Partition([]string{"n1", "n2"}, []string{"n3"}), "1→2 2→1 3→"},
		{"unnamed nodes are a group", five, Partition([]string{"n1"}, []string{"n2", "n3"}), "1→ 2→3 3→2 4→5 5→4"},
		{"a node that is not there", three, Partition([]string{"n1", "n9"}), "1→ 2→3 3→2"},
		{"isolate one", three, Isolate("n1"), "1→ 2→3 3→2"},
		{"isolate two, from each other too", four, Isolate("n1", "n2"), "1→ 2→ 3→4 4→3"},
		{"halves", four, Halves(four), "1→2 2→1 3→4 4→3"},
		{"halves of an odd number", five, Halves(five), "1→23 2→13 3→12 4→5 5→4"},
		{"halves of one", four[:1], Halves(four[:1]), "1→"},
		{"majority of three", three, Majority(three, 1), "1→3 2→ 3→1"},
		{"majority of three, another seed", three, Majority(three, 2), "1→2 2→1 3→"},
		{"majority of four", four, Majority(four, 1), "1→23 2→13 3→12 4→"},
		{"minority of four", four, Minority(four, 1), "1→34 2→ 3→14 4→13"},
		{"minority of five", five, Minority(five, 1), "1→2 2→1 3→45 4→35 5→34"},
		{"minority of two", four[:2], Minority(four[:2], 1), "1→2 2→1"},
		{"bridge", five, Bridge(five, "n3"), "1→23 2→13 3→1245 4→35 5→34"},
		{"bridge of three", three, Bridge(three, "n1"), "1→23 2→1 3→1"},
		{"ring of five", five, Ring(five), "1→25 2→13 3→24 4→35 5→14"},
		{"ring of three", three, Ring(three), "1→23 2→13 3→12"},
		{"one way", three, OneWay(Pair{"n1", "n3"}), "1→2 2→13 3→12"},
		{"random", five, Random(five, 1), "1→ 2→345 3→245 4→235 5→234"},
		{"random, another seed", five, Random(five, 4), "1→45 2→3 3→2 4→15 5→14"},
		{"random of one", four[:1], Random(four[:1], 1), "1→"},
		{"link", three, Link(Quality{Loss: 100}, Pair{"n1", "n2"}), "1→23 2→13 3→12"},
	} {
		if got := graph(test.nodes, test.fault.Cuts(test.nodes)); got != test.want {
			t.Errorf("%s: %s; want %s", test.name, got, test.want)
		}
	}
}

// What the seeds choose differs, and every node can be chosen.
func TestSeedsChooseAllNodes(t *testing.T) {
	for name, shape := range map[string]func([]string, uint64) Fault{"majority": Majority, "minority": Minority, "random": Random} {
		chosen, sizes := map[string]bool{}, map[int]bool{}
		for seed := range uint64(50) {
			f := shape(five, seed)
			if !reflect.DeepEqual(f, shape(five, seed)) {
				t.Errorf("%s: seed %d chooses differently the second time", name, seed)
			}
			sizes[len(f.Groups[0])] = true
			for _, n := range f.Groups[0] {
				chosen[n] = true
			}
		}
		if want := map[string]int{"majority": 1, "minority": 1, "random": 4}[name]; len(chosen) != 5 || len(sizes) != want {
			t.Errorf("%s chooses %v, in groups of %v", name, chosen, sizes)
		}
	}
}

func TestValidate(t *testing.T) {
	now := time.Now()
	link := func(q Quality) Fault { return Link(q, Pair{"n1", "n2"}) }
	shaped := func(s Shaping) Fault { return link(Quality{Shaping: s}) }
	with := func(f Fault, change func(*Fault)) Fault { change(&f); return f }
	for _, test := range []struct {
		fault Fault
		want  string
	}{
		{Isolate("n1"), ""},
		{Bridge(three, "n2"), ""},
		{link(Quality{Loss: 5}), ""},
		{Link(Quality{Loss: 5}, Pair{"n1", Everyone}, Pair{Everyone, "n1"}, Pair{Everyone, Everyone}), ""},
		{with(Isolate("n1"), func(f *Fault) { f.Begin, f.End = now, now.Add(1) }), ""},
		{with(Partition(three), func(f *Fault) { f.Hard = true }), ""},
		{Isolate("n9"), `unknown node "n9"`},
		{OneWay(Pair{"n1", Everyone}), `unknown node "*"`},
		{Partition([]string{"n1"}, []string{"n1", "n2"}), `node "n1" is named twice`},
		{OneWay(Pair{"n1", "n1"}), "n1:n1: a link needs two nodes"},
		{OneWay(Pair{"n1", "n2"}, Pair{"n1", "n2"}), "n1:n2 is named twice"},
		{with(Isolate("n1"), func(f *Fault) { f.Begin, f.End = now, now }), "the fault ends before it begins"},
		{with(Isolate("n1"), func(f *Fault) { f.Kind = "meteor" }), `unknown kind of fault "meteor"`},
		{with(Isolate("n1"), func(f *Fault) { f.How = "shout" }), `unknown way to cut "shout": use drop, reset or disconnect`},
		{with(Isolate("n1"), func(f *Fault) { f.Quality.Loss = 5 }), "a partition has no quality of links"},
		{with(Isolate("n1"), func(f *Fault) { f.Pairs = []Pair{{"n2", "n3"}} }), "a partition has groups or pairs of the other kind"},
		{Partition(three), "nothing is cut: the nodes still reach each other"},
		{Ring(three), "nothing is cut: the nodes still reach each other"},
		{Minority(three[:2], 1), "nothing is cut: the nodes still reach each other"},
		{link(Quality{Loss: 100.5}), "100.5 %: must be from 0 to 100"},
		{shaped(Shaping{Corrupt: -1}), "-1 %: must be from 0 to 100"},
		{with(link(Quality{Loss: 5}), func(f *Fault) { f.Hard = true }), "a link fault cuts nothing"},
		{Link(Quality{Loss: 5}), "a link fault needs a pair of nodes"},
		{link(Quality{}), "the links stay as they are"},
		{shaped(Shaping{Rate: 999}), "rate 999 bit/s: must be from 1000 to 32000000000"},
		{shaped(Shaping{Latency: time.Minute, Jitter: 2 * time.Minute}), "latency 1m0s, jitter 2m0s: must be from 0 to 2m0s together"},
		{shaped(Shaping{Jitter: 1}), "jitter and reorder need a latency"},
	} {
		got := ""
		if err := test.fault.Validate(three); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%+v: %q; want %q", test.fault, got, test.want)
		}
	}
}

var begin = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

// nodes gives addresses: n1 has 10.0.0.1, and n2 also fd00::2.
func nodes(names ...string) (nodes []Node) {
	for _, name := range names {
		n := Node{Name: name, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0." + name[1:])}}
		if name == "n2" {
			n.Addrs = append(n.Addrs, netip.MustParseAddr("fd00::2"))
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func TestPlan(t *testing.T) {
	until := func(f Fault, seconds int) Fault { f.End = begin.Add(time.Duration(seconds) * time.Second); return f }
	reset := func(f Fault) Fault { f.How = Reset; return f }
	hard := func(f Fault) Fault { f.Hard = true; return f }
	loss := func(p float64, pairs ...Pair) Fault { return Link(Quality{Loss: p}, pairs...) }
	shape := func(s Shaping, pairs ...Pair) Fault { return Link(Quality{Shaping: s}, pairs...) }
	there := Pair{"n1", "n2"}
	later := Isolate("n1")
	later.Begin = begin.Add(1)
	for _, test := range []struct {
		name   string
		faults []Fault
		want   map[string]string // nothing for nodes that are not in it
	}{
		{"nothing", nil, nil},
		{"not begun, and over", []Fault{later, until(Isolate("n1"), 0), until(Isolate("n1"), -1)}, nil},
		{"nodes that are not there", []Fault{hard(Isolate("n9")), OneWay(Pair{"n1", "n9"}), loss(5, Pair{"n9", "n9"})}, nil},
		{"one way, to a node with two addresses", []Fault{OneWay(there)}, map[string]string{
			"n1": "cut out 10.0.0.2 drop\ncut out fd00::2 drop\n",
			"n2": "cut in 10.0.0.1 drop\n",
		}},
		{"the later end wins", []Fault{until(OneWay(Pair{"n2", "n1"}), 9), until(OneWay(Pair{"n2", "n1"}), 5)}, map[string]string{
			"n1": "cut in 10.0.0.2 drop until 2026-01-02T15:04:14Z\ncut in fd00::2 drop until 2026-01-02T15:04:14Z\n",
			"n2": "cut out 10.0.0.1 drop until 2026-01-02T15:04:14Z\n",
		}},
		{"drop wins over reset", []Fault{reset(OneWay(Pair{"n1", "n3"})), OneWay(Pair{"n1", "n3"})}, map[string]string{
			"n1": "cut out 10.0.0.3 drop\n",
			"n3": "cut in 10.0.0.1 drop\n",
		}},
		{"while it lasts", []Fault{until(reset(OneWay(Pair{"n1", "n3"})), 9), until(OneWay(Pair{"n1", "n3"}), 5)}, map[string]string{
			"n1": "cut out 10.0.0.3 drop until 2026-01-02T15:04:10Z\ncut out 10.0.0.3 reset until 2026-01-02T15:04:14Z\n",
			"n3": "cut in 10.0.0.1 drop until 2026-01-02T15:04:10Z\ncut in 10.0.0.1 reset until 2026-01-02T15:04:14Z\n",
		}},
		{"hard", []Fault{hard(Partition([]string{"n3"}, []string{"n1", "n2"}))}, map[string]string{
			"n1": "cut in outside drop\ncut out outside drop\ncut in 10.0.0.3 drop\ncut out 10.0.0.3 drop\ncluster 10.0.0.1 10.0.0.2 10.0.0.3 fd00::2\n",
			"n2": "cut in outside drop\ncut out outside drop\ncut in 10.0.0.3 drop\ncut out 10.0.0.3 drop\ncluster 10.0.0.1 10.0.0.2 10.0.0.3 fd00::2\n",
			"n3": "cut in outside drop\ncut out outside drop\ncut in 10.0.0.1 drop\ncut out 10.0.0.1 drop\ncut in 10.0.0.2 drop\ncut out 10.0.0.2 drop\n" +
				"cut in fd00::2 drop\ncut out fd00::2 drop\ncluster 10.0.0.1 10.0.0.2 10.0.0.3 fd00::2\n",
		}},
		{"losses multiply, and each ends at its time", []Fault{loss(10, there), loss(10, there), until(loss(10, there), 5)}, map[string]string{
			"n2": "loss in 10.0.0.1 10% until 2026-01-02T15:04:10Z\nloss in 10.0.0.1 19%\n",
		}},
		{"loss of everyone", []Fault{loss(5, Pair{"n1", Everyone}, Pair{Everyone, "n1"})}, map[string]string{
			"n1": "loss in everyone 5%\n",
			"n2": "loss in 10.0.0.1 5%\n",
			"n3": "loss in 10.0.0.1 5%\n",
		}},
		{"shapes combine", []Fault{
			shape(Shaping{Rate: 2_000_003, Latency: 50 * time.Millisecond, Jitter: 1500 * time.Nanosecond, Duplicate: 1}, there),
			shape(Shaping{Rate: 1_000_007, Latency: 20 * time.Millisecond, Duplicate: 1, Corrupt: 2, Reorder: 50}, there),
			shape(Shaping{Latency: 20 * time.Millisecond, Reorder: 50}, there),
		}, map[string]string{
			"n1": "shape out 10.0.0.2 rate 1000000bit/s latency 90ms jitter 1µs duplicate 1.99% corrupt 2% reorder 75%\n" +
				"shape out fd00::2 rate 1000000bit/s latency 90ms jitter 1µs duplicate 1.99% corrupt 2% reorder 75%\n",
		}},
		{"shapes end one after the other", []Fault{
			until(shape(Shaping{Rate: 1000}, Pair{"n1", "n3"}), 5), until(shape(Shaping{Rate: 3000}, Pair{"n1", "n3"}), 7),
			until(shape(Shaping{Rate: 2000}, Pair{"n1", "n3"}), 9), shape(Shaping{Latency: time.Second}, Pair{"n1", "n3"}),
		}, map[string]string{
			"n1": "shape out 10.0.0.3 rate 1000bit/s latency 1s until 2026-01-02T15:04:10Z\n" +
				"shape out 10.0.0.3 rate 2000bit/s latency 1s until 2026-01-02T15:04:14Z\n" +
				"shape out 10.0.0.3 latency 1s\n",
		}},
		{"shapes for everyone", []Fault{
			until(shape(Shaping{Rate: 1000}, Pair{"n1", Everyone}), 9),
			until(shape(Shaping{Latency: time.Second}, Pair{"n1", "n3"}), 5), shape(Shaping{Rate: 5000}, Pair{"n3", "n1"}),
		}, map[string]string{
			"n1": "shape out everyone rate 1000bit/s until 2026-01-02T15:04:14Z\nshape out 10.0.0.3 rate 1000bit/s latency 1s until 2026-01-02T15:04:10Z\n",
			"n3": "shape out 10.0.0.1 rate 5000bit/s\n",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := Plan(nodes(three...), test.faults, begin)
			if len(plan) != 3 {
				t.Errorf("rules for %d nodes; want 3", len(plan))
			}
			for name, rules := range plan {
				if got := rules.String(); got != test.want[name] {
					t.Errorf("%s:\n%swant\n%s", name, got, test.want[name])
				}
				if rules.Empty() != (test.want[name] == "") {
					t.Errorf("%s: empty %v", name, rules.Empty())
				}
			}
		})
	}
}

// Faults and rules are passed on as JSON.
func TestJSON(t *testing.T) {
	f := Fault{
		ID: "f1", Kind: KindLink, Pairs: []Pair{{"n1", "*"}}, Begin: begin, End: begin.Add(time.Minute),
		Quality: Quality{Loss: 5, Shaping: Shaping{Rate: 1_000_000, Latency: 50 * time.Millisecond}},
	}
	hard := Isolate("n1")
	hard.Hard = true
	rules := Plan(nodes(three...), []Fault{f, hard}, begin)["n1"]
	for _, test := range []struct {
		value, copy any
		want        string
	}{
		{&f, &Fault{}, `{"id":"f1","kind":"link","pairs":[{"from":"n1","to":"*"}],"quality":{"loss":5,"rate":1000000,"latency":50000000},` +
			`"begin":"2026-01-02T15:04:05Z","end":"2026-01-02T15:05:05Z"}`},
		{&hard, &Fault{}, `{"id":"","kind":"partition","groups":[["n1"]],"hard":true}`},
		{&rules, &Rules{}, `{"cuts":[{"direction":"in","how":"drop"},{"direction":"out","how":"drop"},` +
			`{"peer":"10.0.0.2","direction":"in","how":"drop"},{"peer":"10.0.0.2","direction":"out","how":"drop"},` +
			`{"peer":"10.0.0.3","direction":"in","how":"drop"},{"peer":"10.0.0.3","direction":"out","how":"drop"},` +
			`{"peer":"fd00::2","direction":"in","how":"drop"},{"peer":"fd00::2","direction":"out","how":"drop"}],` +
			`"shapes":[{"rate":1000000,"latency":50000000,"until":"2026-01-02T15:05:05Z"}],` +
			`"cluster":["10.0.0.1","10.0.0.2","10.0.0.3","fd00::2"]}`},
	} {
		text, err := json.Marshal(test.value)
		if err != nil || string(text) != test.want {
			t.Errorf("%s, %v; want\n%s", text, err, test.want)
		}
		if err := json.Unmarshal(text, test.copy); err != nil || !reflect.DeepEqual(test.copy, test.value) {
			t.Errorf("%+v, %v; want %+v", test.copy, err, test.value)
		}
	}
}

func TestQualityAsText(t *testing.T) {
	for want, q := range map[string]Quality{
		"":                     {},
		"loss 0.5%":            {Loss: 0.5},
		"rate 1000bit/s":       {Shaping: Shaping{Rate: 1000}},
		"loss 5% latency 50ms": {Loss: 5, Shaping: Shaping{Latency: 50 * time.Millisecond}},
	} {
		if q.String() != want {
			t.Errorf("%q; want %q", q, want)
		}
	}
}

func drawFault(t *rapid.T, names []string) Fault {
	pair := rapid.Custom(func(t *rapid.T) Pair {
		return Pair{rapid.SampledFrom(append(names, Everyone)).Draw(t, "from"), rapid.SampledFrom(append(names, Everyone)).Draw(t, "to")}
	})
	f := Fault{
		How:   rapid.SampledFrom([]How{"", Drop, Reset}).Draw(t, "how"),
		Hard:  rapid.Bool().Draw(t, "hard"),
		Begin: begin.Add(time.Duration(rapid.IntRange(-5, 3).Draw(t, "begin")) * time.Second),
	}
	if end := rapid.IntRange(-3, 5).Draw(t, "end"); end != 5 {
		f.End = begin.Add(time.Duration(end) * time.Second)
	}
	switch f.Kind = rapid.SampledFrom([]Kind{KindPartition, KindCut, KindLink}).Draw(t, "kind"); f.Kind {
	case KindPartition:
		f.Groups = rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom(names), 0, 3), 0, 3).Draw(t, "groups")
	case KindCut:
		f.Pairs = rapid.SliceOfN(pair, 0, 3).Draw(t, "pairs")
	case KindLink:
		f.Pairs = rapid.SliceOfN(pair, 0, 3).Draw(t, "pairs")
		f.Quality.Loss = rapid.Float64Range(0, 100).Draw(t, "loss")
		f.Quality.Rate = rapid.Uint64Range(0, 5000).Draw(t, "rate")
		f.Quality.Latency = time.Duration(rapid.IntRange(0, 3).Draw(t, "latency")) * time.Second
		f.Quality.Duplicate = rapid.Float64Range(0, 100).Draw(t, "duplicate")
	}
	return f
}

func TestPlanProperties(t *testing.T) {
	names := five
	rapid.Check(t, func(t *rapid.T) {
		faults := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Fault { return drawFault(t, names) }), 0, 5).Draw(t, "faults")
		plan := Plan(nodes(names...), faults, begin)

		// The order of faults and nodes does not matter.
		shuffled, other := rapid.Permutation(faults).Draw(t, "shuffled"), rapid.Permutation(names).Draw(t, "nodes")
		if got := Plan(nodes(other...), shuffled, begin); !reflect.DeepEqual(got, plan) {
			t.Errorf("in another order\n%v\nand first\n%v", got, plan)
		}

		// Faults that are not in force do nothing.
		in := slices.DeleteFunc(slices.Clone(faults), func(f Fault) bool { return !f.InForce(begin) })
		if got := Plan(nodes(names...), in, begin); !reflect.DeepEqual(got, plan) {
			t.Errorf("without the faults that are not in force\n%v\nwith them\n%v", got, plan)
		}

		// Both ends of a cut have it, with the same end.
		owner := map[netip.Addr]string{}
		for _, n := range nodes(names...) {
			for _, a := range n.Addrs {
				owner[a] = n.Name
			}
		}
		ends := map[string]int{}
		for name, rules := range plan {
			for _, c := range rules.Cuts {
				peer := owner[c.Peer]
				if peer == "" {
					continue // outside
				}
				from, to := name, peer
				if c.Direction == In {
					from, to = peer, name
				}
				ends[fmt.Sprint(from, to, c.How, c.Until, c.Direction)]++
			}
		}
		for key := range ends {
			pair := strings.TrimSuffix(strings.TrimSuffix(key, "out"), "in")
			if ends[pair+"in"] == 0 || ends[pair+"out"] == 0 {
				t.Errorf("%s is at one end only:\n%v", key, plan)
			}
		}

		// A node that no fault in force names loses nothing by a cut but the named nodes.
		named := map[string]bool{}
		for _, f := range in {
			for _, name := range f.names() {
				named[name] = true
			}
		}
		for name, rules := range plan {
			for _, c := range rules.Cuts {
				if peer := owner[c.Peer]; !named[name] && !named[peer] {
					t.Errorf("%s is named by no fault, and loses %q:\n%v", name, peer, rules)
				}
			}
			if !named[name] && !named[Everyone] && len(rules.Losses) > 0 {
				t.Errorf("%s is named by no fault, and has losses:\n%v", name, rules)
			}
		}

		// What ends is over then, and nothing else: planning later is the same as waiting.
		at := begin.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "seconds")) * time.Second)
		now := slices.DeleteFunc(slices.Clone(faults), func(f Fault) bool { return f.Begin.After(begin) })
		for name, rules := range Plan(nodes(names...), now, at) {
			if got := plan[name].Live(at).String(); got != rules.String() {
				t.Errorf("%s has, after waiting,\n%sand planned\n%s", name, got, rules)
			}
		}
	})
}
