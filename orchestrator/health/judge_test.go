package health

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// well returns a sample of node i of n without any problem.
func well(i, n int) *Sample {
	s := &Sample{
		RoundTrip: time.Millisecond, OTP: "27", Apps: []string{"kernel", "shop"}, Schedulers: 2, Load: Load{0.02, true, time.Minute},
		Processes: Count{80, 1000, true}, Ports: Count{8, 1000, true}, Atoms: Count{100, 1000, true}, Tables: Count{20, 1000, true},
		Files: Count{20, 1000, true}, Container: Count{50 << 20, 100 << 20, true}, Memory: map[string]int64{"total": 40 << 20},
		Modules: map[string]string{"Elixir.Shop": "aa", "Elixir.Shop.Cart": "bb"},
	}
	for p := range n {
		if p != i {
			s.Visible = append(s.Visible, beam(p))
		}
	}
	return s
}

func beam(i int) string { return fmt.Sprintf("app@n%d.shop.test", i+1) }

// cluster returns the samples of a healthy cluster.
func cluster(n int) []Seen {
	var nodes []Seen
	for i := range n {
		nodes = append(nodes, Seen{Name: fmt.Sprintf("n%d", i+1), Node: beam(i), Sample: well(i, n), Own: []Outcome{{Name: "HTTP check /health"}}})
	}
	return nodes
}

func judged(nodes []Seen, t Thresholds) Report {
	return Judge(Observation{Nodes: nodes}, Expectations{Cluster: "shop", App: "shop"}, t)
}

// troubles returns the checks that did not pass, one line each.
func troubles(r Report) string {
	var lines []string
	for _, c := range r.Checks {
		if c.State != Passed {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s/%s %s: %s", c.State, c.Group, c.Name, c.Node, c.Means)))
		}
	}
	return strings.Join(lines, "\n")
}

// Nodes that need not be connected, or that differ on purpose, are healthy.
func TestNodesOnTheirOwn(t *testing.T) {
	nodes := cluster(2)
	for i := range nodes {
		nodes[i].Sample.Visible = nil
		nodes[i].Sample.Modules = map[string]string{"Elixir.Shop": fmt.Sprint(i)}
	}
	if r := judged(nodes, Thresholds{}); r.Passed {
		t.Error("the cluster is healthy anyway")
	}
	for i := range nodes {
		nodes[i].Runs = fmt.Sprint("image", i)
	}
	if r := Judge(Observation{Nodes: nodes}, Expectations{Cluster: "shop", App: "shop", NoMesh: true}, Thresholds{}); !r.Passed || troubles(r) != "" {
		t.Errorf("%s", troubles(r))
	}
}

// A certificate that expires soon is reported.
func TestCertificates(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for ends, want := range map[time.Time]string{
		{}:                           "",
		now.Add(8 * 24 * time.Hour):  "",
		now.Add(6 * 24 * time.Hour):  "failed operations/certificate : the distribution's certificate ends 2026-12-06 12:00 UTC: then a node that connects again is refused",
		now.Add(-2 * 24 * time.Hour): "failed operations/certificate : the distribution's certificate ended 2026-11-28 12:00 UTC: a node that connects again is refused",
	} {
		r := Judge(Observation{Time: now, Nodes: cluster(2)}, Expectations{Cluster: "shop", App: "shop", CertificateEnds: ends}, Thresholds{})
		if got := troubles(r); got != want {
			t.Errorf("%s: %q", ends, got)
		}
		if told := slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Name == "certificate" }); told == ends.IsZero() {
			t.Errorf("%s: told %t", ends, told)
		}
	}
}

func TestAHealthyCluster(t *testing.T) {
	for _, n := range []int{1, 2, 10} {
		r := judged(cluster(n), Thresholds{})
		if !r.Passed || troubles(r) != "" || r.Summary.Passed != r.Summary.Total || r.Summary.Total != 1+14*n {
			t.Errorf("%d nodes: %+v\n%s", n, r.Summary, troubles(r))
		}
		if !slices.Equal(texts(r.Suggestions), []string{"all is well: nothing to do"}) || !r.Matrix.Full() {
			t.Errorf("%d nodes: %q, %+v", n, r.Suggestions, r.Matrix)
		}
		if !slices.IsSortedFunc(r.Checks, func(a, b Check) int { return slices.Index(Groups, a.Group) - slices.Index(Groups, b.Group) }) {
			t.Error("the checks are not in the order of their groups")
		}
	}
}

func TestWhatIsWrong(t *testing.T) {
	tests := []struct {
		name       string
		change     func([]Seen)
		thresholds Thresholds
		want       string // lines of troubles
		suggestion string // one of the suggestions
	}{
		{
			"a node is stopped",
			func(n []Seen) {
				n[2] = Seen{Name: "n3", Node: beam(2), Reason: "its container is stopped", Hint: hint.Of(hint.Start.On("shop", "n3"))}
			},
			Thresholds{},
			`failed connectivity/answers n3: n3: its container is stopped
unknown formation/mesh n3: n3 did not answer
unknown code/modules : no data from n3; compared: n1, n2
unknown operations/application n3: n3 did not answer
unknown performance/load n3: n3 did not answer
unknown resources/limits n3: n3 did not answer`,
			"beamyard start shop/n3",
		},
		{
			"a pair is cut, as both see it",
			func(n []Seen) {
				n[0].Sample.Visible, n[2].Sample.Visible = []string{beam(1)}, []string{beam(1)}
			},
			Thresholds{},
			`failed formation/mesh n1: n1 does not see n3: what it spreads over the cluster does not get there
failed formation/mesh n3: n3 does not see n1: what it spreads over the cluster does not get there`,
			`ask it to connect: beamyard rpc shop/n1 'Node.connect(:"app@n3.shop.test")'`,
		},
		{
			"a connection is hidden, one is missing on one side",
			func(n []Seen) {
				n[0].Sample.Visible, n[0].Sample.Hidden = nil, []string{beam(1)}
			},
			Thresholds{},
			`failed formation/mesh n1: n1 does not see n3, sees n2 only as hidden: what it spreads over the cluster does not get there`, "",
		},
		{
			"other code on one node",
			func(n []Seen) { n[1].Sample.Modules = map[string]string{"Elixir.Shop": "ab", "Elixir.Shop.Cart": "bb"} },
			Thresholds{},
			`failed code/modules : the nodes do not run the same code: Shop on n2`,
			"start what differs from the same image again: beamyard restart shop/n2",
		},
		{
			"most nodes do not tell their modules",
			func(n []Seen) { n[1].Sample.Modules, n[2].Sample.Modules = nil, nil },
			Thresholds{},
			`unknown code/modules : no data from n2, n3; compared: n1`, "",
		},
		{
			"what differs is told, whoever did not tell",
			func(n []Seen) {
				n[0].Sample.Modules = map[string]string{"Elixir.Shop": "ab", "Elixir.Shop.Cart": "bb"}
				n[2].Sample.Modules = nil
			},
			Thresholds{},
			`failed code/modules : the nodes do not run the same code: Shop on n1`, "",
		},
		{
			"a module is missing on one node, and another is different everywhere",
			func(n []Seen) {
				n[0].Sample.Modules = map[string]string{"Elixir.Shop": "a1"}
				n[1].Sample.Modules = map[string]string{"Elixir.Shop": "a2", "Elixir.Shop.Cart": "bb"}
				n[2].Sample.Modules = map[string]string{"Elixir.Shop": "a3", "Elixir.Shop.Cart": "bb"}
			},
			Thresholds{},
			`failed code/modules : the nodes do not run the same code: Shop on n2, n3; Shop.Cart (missing on n1)`, "",
		},
		{
			"the application ended on one node",
			func(n []Seen) { n[1].Sample.Apps = []string{"kernel"} },
			Thresholds{},
			`failed operations/application n2: application shop is not started`,
			"see why it ended: beamyard logs shop/n2 --tail 50",
		},
		{
			"checks of its own fail, one by itself",
			func(n []Seen) {
				n[0].Own = []Outcome{{Name: "db", Failure: "it is false", Hint: hint.Text("look")}, {Name: "disk", Failure: "the engine is away", Crashed: true}}
			},
			Thresholds{},
			"failed operations/db n1: db: it is false\nfailed operations/disk n1: disk: the engine is away", "look",
		},
		{
			"it is busy",
			func(n []Seen) {
				n[0].Sample.RoundTrip, n[1].Sample.RunQueue, n[2].Sample.Load = 150*time.Millisecond, 21, Load{0.96, true, Steady}
			},
			Thresholds{},
			`failed performance/round trip n1: a call that does nothing takes 150ms at n1: its schedulers are busy, or this machine is
failed performance/run queue n2: 21 processes wait for the 2 schedulers of n2: it has more to do than it can
failed performance/scheduler load n3: n3 uses 96 % of its schedulers' time`, "",
		},
		{
			"a load of a moment is shown, and not judged",
			func(n []Seen) { n[0].Sample.Load = Load{1, true, OneOff} },
			Thresholds{},
			`unknown performance/scheduler load n1: n1 used 100 % of its schedulers' time, for 20ms: too short a time to judge`, "",
		},
		{
			"its clock is off",
			func(n []Seen) { n[0].Sample.ClockSkew = -3 * time.Second },
			Thresholds{},
			"failed performance/clock n1: the clock of n1 is -3s off ours: times of lines and events do not compare", "",
		},
		{
			"a fault sets its clock",
			func(n []Seen) {
				n[0].Sample.ClockSkew, n[0].Clock = time.Hour, Cut{ID: "f1", Text: "clock of n1: bump 1h0m0s"}
			},
			Thresholds{},
			"failed performance/clock n1: the clock of n1 is 1h0m0s off ours: times of lines and events do not compare; f1 sets it (clock of n1: bump 1h0m0s)",
			"heal it: beamyard heal -c shop f1",
		},
		{
			"it is near its limits",
			func(n []Seen) {
				s := n[0].Sample
				s.Processes.Used, s.Ports.Used, s.Atoms.Used, s.Tables.Used, s.Files.Used, s.Container.Used = 901, 901, 901, 901, 901, 91<<20
			},
			Thresholds{},
			`failed resources/memory n1: memory of n1: 91.0 MiB of 100.0 MiB (91 %, over 90 %); the kernel kills the VM at the limit
failed resources/processes n1: processes of n1: 901 of 1000 (90 %, over 90 %); at the limit no process can be started (system_limit)
failed resources/ports n1: ports of n1: 901 of 1000 (90 %, over 90 %); at the limit no socket or file can be opened (system_limit)
failed resources/atoms n1: atoms of n1: 901 of 1000 (90 %, over 90 %); at the limit the VM ends: atoms are never freed
failed resources/tables n1: tables of n1: 901 of 1000 (90 %, over 90 %); at the limit no ETS table can be made (system_limit)
failed resources/files n1: files of n1: 901 of 1000 (90 %, over 90 %); at the limit no file or socket can be opened (emfile)`,
			"raise memory: in beamyard.yml, or see what uses it: beamyard rpc shop/n1 ':erlang.memory()'",
		},
		{
			"it is over a threshold of the spec",
			func(n []Seen) {},
			Thresholds{Memory: 0.4},
			`failed resources/memory n1: memory of n1: 50.0 MiB of 100.0 MiB (50 %, over 40 %); the kernel kills the VM at the limit
failed resources/memory n2: memory of n2: 50.0 MiB of 100.0 MiB (50 %, over 40 %); the kernel kills the VM at the limit
failed resources/memory n3: memory of n3: 50.0 MiB of 100.0 MiB (50 %, over 40 %); the kernel kills the VM at the limit`, "",
		},
		{
			"at its thresholds it is well",
			func(n []Seen) {
				s := n[0].Sample
				s.Processes.Used, s.Container.Used, s.RunQueue, s.RoundTrip, s.Load.Part = 900, 90<<20, 20, 100*time.Millisecond, 0.95
			},
			Thresholds{}, "", "",
		},
		{
			"without limits nothing is over them",
			func(n []Seen) {
				n[0].Sample.Container, n[0].Sample.Files = Count{1 << 40, 0, true}, Count{1 << 40, 0, true}
			},
			Thresholds{}, "", "",
		},
		{
			"one that tells its applications only, is not out of the mesh",
			func(n []Seen) {
				n[0].Sample = &Sample{Partial: true, RoundTrip: time.Millisecond, Apps: []string{"shop"}}
			},
			Thresholds{},
			`unknown formation/mesh n1: n1 did not report its connections
unknown code/modules : no data from n1; compared: n2, n3
unknown performance/clock n1: n1 did not report its time
unknown performance/run queue n1:
unknown performance/scheduler load n1:
unknown resources/memory n1:
unknown resources/processes n1:
unknown resources/ports n1:
unknown resources/atoms n1:
unknown resources/tables n1:
unknown resources/files n1:`, "",
		},
		{
			"what the system does not tell is not known",
			func(n []Seen) { n[0].Sample = &Sample{Apps: []string{"shop"}, Visible: []string{beam(1), beam(2)}} },
			Thresholds{},
			`unknown code/modules : no data from n1; compared: n2, n3
unknown performance/run queue n1:
unknown performance/scheduler load n1:
unknown resources/memory n1:
unknown resources/processes n1:
unknown resources/ports n1:
unknown resources/atoms n1:
unknown resources/tables n1:
unknown resources/files n1:`, "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nodes := cluster(3)
			tt.change(nodes)
			r := judged(nodes, tt.thresholds)
			if diff := cmp.Diff(tt.want, troubles(r)); diff != "" {
				t.Error(diff)
			}
			failed := strings.Count("\n"+tt.want, "\nfailed")
			if r.Passed != (failed == 0) || r.Summary.Failed != failed || r.Summary.Total != r.Summary.Passed+r.Summary.Failed+r.Summary.Unknown {
				t.Errorf("passed %t, summary %+v", r.Passed, r.Summary)
			}
			if tt.suggestion != "" && !slices.Contains(texts(r.Suggestions), tt.suggestion) {
				t.Errorf("suggestions %q", r.Suggestions)
			}
			for _, c := range r.Checks {
				if c.State == Failed && (c.Means == "" || len(c.Suggestion) == 0) {
					t.Errorf("a failure without an explanation: %+v", c)
				}
			}
		})
	}
}

func TestWithoutAnApplicationItIsNotChecked(t *testing.T) {
	for _, app := range []string{"", "-"} {
		nodes := cluster(2)
		nodes[0].Sample.Apps, nodes[0].Sample.Modules, nodes[1].Sample.Modules = nil, nil, nil
		r := Judge(Observation{Nodes: nodes}, Expectations{Cluster: "shop", App: app}, Thresholds{})
		want := "unknown code/modules : no application is known to compare"
		if got := troubles(r); got != want || !r.Passed || r.Of(Code)[0].Suggestion.String() != "name it: app: in beamyard.yml" {
			t.Errorf("%q: %s", app, got)
		}
	}
}

// texts are the hints as text.
func texts(hints []hint.Hint) []string {
	all := make([]string, len(hints))
	for i, h := range hints {
		all[i] = h.String()
	}
	return all
}

func TestSuggestionsAreGivenOnce(t *testing.T) {
	nodes := cluster(2)
	for i := range nodes {
		nodes[i].Own = []Outcome{{Name: "a", Failure: "x", Hint: hint.Text("do it")}, {Name: "b", Failure: "y", Hint: hint.Text("do it")}}
	}
	if r := judged(nodes, Thresholds{}); !slices.Equal(texts(r.Suggestions), []string{"do it"}) {
		t.Errorf("suggestions %q", r.Suggestions)
	}
}

func TestACheckThatPanicsFailed(t *testing.T) {
	j := judge{Expectations: Expectations{Cluster: "shop"}}
	j.guard(Check{Group: Code, Name: "modules", Node: "n1"}, func() []Check { panic("boom") })
	c := j.report.Checks[0]
	if c.State != Failed || !c.Crashed || c.Node != "n1" || !strings.Contains(c.Means, "crashed: boom") || j.report.Summary.Failed != 1 {
		t.Errorf("%+v", c)
	}
}

func TestTheFirstFailureThatPreventsReady(t *testing.T) {
	nodes := cluster(1)
	nodes[0].Sample.RoundTrip, nodes[0].Sample.Atoms.Used = time.Hour, 1000
	r := judged(nodes, Thresholds{})
	if c, ok := r.FirstFailed(Connectivity, Operations, Resources); !ok || c.Name != "atoms" {
		t.Errorf("%+v, %t", c, ok)
	}
	if c, ok := r.FirstFailed(Connectivity, Operations); ok {
		t.Errorf("%+v", c)
	}
}

func TestThresholds(t *testing.T) {
	if got := (Thresholds{}).Problems(); len(got) != 0 {
		t.Errorf("the zero value: %v", got)
	}
	if got := (Thresholds{}).Defaulted().Problems(); len(got) != 0 {
		t.Errorf("the defaults: %v", got)
	}
	bad := Thresholds{RoundTrip: -1, ClockSkew: -1, RunQueue: -1, Load: 2, Memory: -0.1, Processes: 90, Ports: 1.1, Atoms: 1.1, Tables: 1.1, Files: 1.1}
	if got := bad.Problems(); len(got) != 10 {
		t.Errorf("%d problems: %v", len(got), got)
	}
}

// The peers of a node that reports only its applications are unknown, except that others
// see it.
func TestTheMatrixOfAPartialSample(t *testing.T) {
	nodes := cluster(3)
	nodes[0].Sample = &Sample{Partial: true, Apps: []string{"shop"}}
	want := Matrix{Nodes: []string{"n1", "n2", "n3"}, Rows: [][]Sight{
		{"", SeesUnknown, SeesUnknown}, {SeesVisible, "", SeesVisible}, {SeesVisible, SeesVisible, ""},
	}}
	if diff := cmp.Diff(want, judged(nodes, Thresholds{}).Matrix); diff != "" {
		t.Error(diff)
	}
}
