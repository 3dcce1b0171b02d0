package health

import (
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

func TestGlobalIsStuckAfterAWhile(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	holder := erldist.Tuple{[]byte("<0.120.0>"), erldist.Atom("b@h")}
	take := func(after time.Duration, earlier *Sample, pairs ...any) Sample {
		s := Sample{Time: at.Add(after)}
		s.read(told(append(pairs, "visible", erldist.List{erldist.Atom("b@h"), erldist.Atom("java@h")})...), earlier)
		s.carry(earlier)
		return s
	}
	stuck := func(s Sample) string {
		nodes := []Seen{{Name: "a", Node: "a@h", Sample: &s}, {Name: "b", Node: "b@h", Sample: &Sample{}}}
		return GlobalStuck(nodes[0], nodes)
	}
	first := take(0, nil, "global_lock", holder)
	if later := take(11*time.Second, &first, "global_lock", holder); stuck(first) != "" || stuck(later) != "process <0.120.0> of b@h has held its lock for 11s" {
		t.Errorf("a lock: %q, %q", stuck(first), stuck(later))
	}
	if other := take(11*time.Second, &first, "global_lock", erldist.Tuple{[]byte("<0.121.0>"), erldist.Atom("b@h")}); stuck(other) != "" {
		t.Errorf("the lock of another: %q", stuck(other))
	}
	alone := take(0, nil, "synced", erldist.List{})
	if later := take(11*time.Second, &alone, "synced", erldist.List{}); stuck(alone) != "" || stuck(later) != "it is connected to b, and has not agreed on names with it" {
		t.Errorf("not synced: %q, %q", stuck(alone), stuck(later))
	}
	if later := take(11*time.Second, &alone, "synced", erldist.List{erldist.Atom("b@h")}); stuck(later) != "" {
		t.Errorf("synced since: %q", stuck(later))
	}
	if unknown := take(11*time.Second, &alone, "synced", erldist.Atom("unknown")); stuck(unknown) != "" {
		t.Errorf("unknown: %q", stuck(unknown))
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
