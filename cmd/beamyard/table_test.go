package main

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// threeNodes is a cluster with nodes in various states.
func threeNodes() orchestrator.Status {
	return orchestrator.Status{Cluster: "demo", Supervised: true, Nodes: []orchestrator.NodeStatus{
		{
			Name: "n1", State: orchestrator.Ready, URL: "http://127.0.0.1:4200", IP: netip.MustParseAddr("10.213.0.2"),
			Ports:     []orchestrator.PortStatus{{Container: 4000, Host: 4200}, {Container: 9568, Host: 4300}},
			Container: "beamyard-demo-n1", StartedAt: noon.Add(-125 * time.Second),
		},
		{
			Name: "n2", State: orchestrator.BackingOff, Restarts: "3/5", RestartCount: 3, NextRestartAt: noon.Add(6 * time.Second),
			Reason: "exit 1; restart 3/5 in 8s", Container: "beamyard-demo-n2", StartedAt: noon.Add(-time.Second),
			Findings: []orchestrator.Finding{
				{Code: "port-in-use", Node: "n2", Problem: "its port is taken", Solutions: []orchestrator.Solution{{Text: hint.Text("see"), Do: hint.Text("ss -ltnp")}}},
				{Code: "boot-loop", Node: "n2", Problem: "twice", SymptomOf: &orchestrator.Cause{Code: "port-in-use", Node: "n2"}},
			},
		},
		{Name: "n3", State: orchestrator.Pending, Container: "beamyard-demo-n3"},
	}}
}

// What is the same of several nodes is said once, with the command for the first of them.
func TestEqualRemarksAreOne(t *testing.T) {
	var out, err bytes.Buffer
	a := testApp(newOutput(&out), newOutput(&err), noon)
	st := orchestrator.Status{Cluster: "demo", Supervised: true}
	for _, name := range []string{"n1", "n2", "n3"} {
		n := orchestrator.NodeStatus{Name: name, State: orchestrator.Failed, Reason: "no database", Findings: []orchestrator.Finding{{Code: "unreachable", Node: name, Problem: "db does not answer"}}}
		if name == "n3" {
			n.Reason = "no disk"
		}
		st.Nodes = append(st.Nodes, n)
	}
	if e := a.printNodes(a.out, []orchestrator.Status{st}, false); e != nil {
		t.Fatal(e)
	}
	const want = "n1, n2: no database\nn1, n2, n3: why: unreachable: db does not answer; beamyard inspect demo/n1\nn3: no disk\n"
	if diff := cmp.Diff(want, err.String()); diff != "" {
		t.Error(diff)
	}
}

func TestTableOfACluster(t *testing.T) {
	var out, err bytes.Buffer
	a := testApp(newOutput(&out), newOutput(&err), noon)
	if e := a.printNodes(a.out, []orchestrator.Status{threeNodes()}, false); e != nil {
		t.Fatal(e)
	}
	want := `NODE  STATE                    URL                    PORTS                 IP          CONTAINER         UPTIME  RESTARTS
n1    Ready                    http://127.0.0.1:4200  4200→4000, 4300→9568  10.213.0.2  beamyard-demo-n1  2m05s   0
n2    BACKOFF 3/5, next in 6s  -                      -                     -           beamyard-demo-n2  -       3
n3    Pending                  -                      -                     -           beamyard-demo-n3  -       0
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	if want := "n2: exit 1; restart 3/5 in 8s\nn2: why: port-in-use: its port is taken; beamyard inspect demo/n2\n"; err.String() != want {
		t.Errorf("stderr %q, want %q", err.String(), want)
	}
}

// Nodes of several hosts have a column for them.
func TestTableWithHosts(t *testing.T) {
	var out bytes.Buffer
	a := testApp(newOutput(&out), newOutput(&bytes.Buffer{}), noon)
	st := orchestrator.Status{Cluster: "demo", Nodes: []orchestrator.NodeStatus{{Name: "n1", On: "big1", State: orchestrator.Ready, Container: "c"}}}
	if err := a.printNodes(a.out, []orchestrator.Status{st, {Cluster: "local", Nodes: []orchestrator.NodeStatus{{Name: "n1", State: orchestrator.Ready, Container: "d"}}}}, true); err != nil {
		t.Fatal(err)
	}
	want := `CLUSTER  NODE  HOST  STATE  URL  PORTS  IP  CONTAINER  UPTIME  RESTARTS
demo     n1    big1  Ready  -    -      -   c          -       0
local    n1    -     Ready  -    -      -   d          -       0
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// A paused node is shown as paused, with a supervisor and without.
func TestAPausedNodeIsShownAsPaused(t *testing.T) {
	for supervised, state := range map[bool]orchestrator.State{true: orchestrator.Degraded, false: orchestrator.Running} {
		s := orchestrator.Status{Cluster: "demo", Supervised: supervised}
		n := orchestrator.NodeStatus{Name: "n1", State: state, Reason: "paused", Paused: true}
		if got := stateCell(s, n, noon); got.text != "Paused" {
			t.Errorf("supervised %t: %q", supervised, got.text)
		}
	}
}

// Colours do not count as width of a column.
func TestColouredTableHasTheSameColumns(t *testing.T) {
	var plain, coloured bytes.Buffer
	statuses := []orchestrator.Status{threeNodes(), {Cluster: "other", Nodes: []orchestrator.NodeStatus{
		{Name: "n1", State: orchestrator.Running, Container: "c"},
		{Name: "n2", State: orchestrator.Stopped, Container: "d"},
	}}, {Cluster: "empty"}}
	a := testApp(newOutput(&plain), newOutput(&bytes.Buffer{}), noon)
	if err := a.printNodes(a.out, statuses, true); err != nil {
		t.Fatal(err)
	}
	a.out = newOutput(&coloured)
	a.out.colors = true
	if err := a.printNodes(a.out, statuses, true); err != nil {
		t.Fatal(err)
	}
	if coloured.String() == plain.String() || !strings.Contains(coloured.String(), "\x1b[32mReady\x1b[0m") {
		t.Errorf("no colours: %q", coloured.String())
	}
	if diff := cmp.Diff(plain.String(), withoutColors(coloured.String())); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{"Running (unsupervised)", "Stopped (unsupervised)", "empty    -     no nodes"} {
		if !strings.Contains(plain.String(), want) {
			t.Errorf("no %q in\n%s", want, plain.String())
		}
	}
}

// withoutColors removes the SGR sequences.
func withoutColors(s string) string {
	for {
		before, after, found := strings.Cut(s, "\x1b[")
		if !found {
			return s
		}
		_, rest, _ := strings.Cut(after, "m")
		s = before + rest
	}
}

func TestInspectMasksSecrets(t *testing.T) {
	spec := orchestrator.Spec{
		Cookie: "crumble", Secrets: []string{"DB_PASSWORD", "TOKEN"},
		Env:   map[string]string{"A": "1", "DB_PASSWORD": "hunter2", "MY_COOKIE": "crumble", "URL": "https://hunter2@api"},
		Nodes: []orchestrator.NodeSpec{{Name: "n1", Env: map[string]string{"A": "2", "TOKEN": "t"}}, {Name: "n2"}},
	}
	want := map[string]string{"A": "2", "DB_PASSWORD": "********", "MY_COOKIE": "********", "TOKEN": "********", "URL": "https://[secret]@api"}
	if diff := cmp.Diff(want, shownEnv(spec, "n1")); diff != "" {
		t.Error(diff)
	}
	if spec.Env["DB_PASSWORD"] != "hunter2" {
		t.Error("the spec itself was masked")
	}
}

func TestInspectShowsHowANodeBoots(t *testing.T) {
	direct := orchestrator.Spec{ImageBoot: "direct", Image: "shop:1"}
	by := func(edit func(*orchestrator.Spec)) string {
		s := direct
		s.Nodes = orchestrator.NodeNames(1)
		edit(&s)
		n, _ := s.NodeOf("n1")
		return bootText(s, n)
	}
	for _, tt := range []struct {
		want string
		edit func(*orchestrator.Spec)
	}{
		{"direct", func(*orchestrator.Spec) {}},
		{"mix run (boot: mix)", func(s *orchestrator.Spec) { s.Boot = orchestrator.BootMix }},
		{"mix run: mix.exs has an alias for run", func(s *orchestrator.Spec) { s.ImageBoot = "mix.exs has an alias for run" }},
		{"", func(s *orchestrator.Spec) { s.ImageBoot = "" }},
		{"", func(s *orchestrator.Spec) { s.Command = []string{"iex"} }},
		{"", func(s *orchestrator.Spec) { s.Nodes[0].Entrypoint = []string{"iex"} }},
		{"", func(s *orchestrator.Spec) { s.Release = true }},
		{"", func(s *orchestrator.Spec) { s.Nodes[0].Image = "db:1" }},
	} {
		if got := by(tt.edit); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
