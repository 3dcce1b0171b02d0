package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/mcp"
)

var (
	onShop     = mcp.InCluster{Cluster: "shop"}
	askSeed    = uint64(7)
	askNodes   = mcp.OnNodes{InCluster: onShop, Nodes: []string{"n1", "@one"}, Seed: &askSeed}
	askTen     = mcp.Until{For: "10s"}
	shopTarget = target{Cluster: "shop"}
	askArgs    = nodesArgs{target: shopTarget, seeded: seeded{&askSeed}, Nodes: []string{"n1", "@one"}}
	askSick    = faulty{target: shopTarget, seeded: seeded{&askSeed}, Nodes: []string{"n1", "@one"}, For: 10 * time.Second}
)

// asks are an input of each tool, and the command that it means.
var asks = []struct {
	in   mcp.Input
	want command
}{
	{mcp.List{}, &clustersCmd{}},
	{mcp.Status{InCluster: onShop}, &psCmd{Name: "shop"}},
	{mcp.Why{InCluster: onShop}, &whyCmd{shopTarget}},
	{mcp.Why{InCluster: onShop, Node: "n1"}, &inspectCmd{shopTarget, "n1"}},
	{mcp.Health{InCluster: onShop}, &healthCmd{target: shopTarget}},
	{mcp.Logs{InCluster: onShop}, &logsCmd{target: shopTarget, Tail: 100}},
	{mcp.Logs{InCluster: onShop, Nodes: []string{"n1"}, Tail: 5, Grep: "error", Since: "5m", Stream: "stderr", SinceRestart: true},
		&logsCmd{target: shopTarget, Nodes: []string{"n1"}, Tail: 5, Grep: "error", Since: since{ago: 5 * time.Minute}, Stream: "stderr", SinceRest: true}},
	{mcp.Events{InCluster: onShop}, &eventsCmd{target: shopTarget, last: 100}},
	{mcp.Events{InCluster: onShop, Node: "shop/n1", Tail: 5}, &eventsCmd{target: shopTarget, last: 5, node: "n1"}},
	{mcp.Faults{InCluster: onShop}, &faultsCmd{shopTarget}},
	{mcp.Export{InCluster: onShop}, &exportCmd{target: shopTarget, into: "/evidence"}},
	{mcp.RPC{InCluster: onShop, Node: "n1", Expression: "1 + 1"}, &rpcCmd{target: shopTarget, Nodes: "n1", Expression: "1 + 1", Timeout: 10 * time.Second}},
	{mcp.RPC{InCluster: onShop, Node: "n1", Expression: "1.", Erlang: true, Timeout: "1m"}, &rpcCmd{target: shopTarget, Nodes: "n1", Expression: "1.", Erlang: true, Timeout: time.Minute}},
	{mcp.Start{OnNodes: askNodes}, &startCmd{askArgs}},
	{mcp.Stop{OnNodes: askNodes}, &stopCmd{askArgs}},
	{mcp.Restart{OnNodes: askNodes}, &restartCmd{askArgs}},
	{mcp.Pause{OnNodes: askNodes}, &pauseCmd{askArgs}},
	{mcp.Unpause{OnNodes: askNodes}, &unpauseCmd{askArgs}},
	{mcp.Kill{OnNodes: askNodes}, &killCmd{askArgs, "KILL"}},
	{mcp.Kill{OnNodes: askNodes, Signal: "TERM"}, &killCmd{askArgs, "TERM"}},
	{mcp.Crash{OnNodes: askNodes}, &crashCmd{target: shopTarget, seeded: seeded{&askSeed}, Nodes: []string{"n1", "@one"}, How: "halt"}},
	{mcp.Crash{OnNodes: askNodes, How: "oom"}, &crashCmd{target: shopTarget, seeded: seeded{&askSeed}, Nodes: []string{"n1", "@one"}, How: "oom"}},
	{mcp.Partition{InCluster: onShop, Groups: []string{"n1,n2", "n3"}}, &partitionCmd{target: shopTarget, lasting: lasting{NoWait: true}, Groups: []string{"n1,n2", "n3"}, Kind: "drop"}},
	{mcp.Partition{InCluster: onShop, Until: askTen, Isolate: []string{"n1"}, Halves: true, Majority: true, Minority: true, Bridge: "n2", Ring: true, OneWay: []string{"n1:n2"}, Random: true, Kind: "reset", Hard: true, Seed: &askSeed, Wait: true},
		&partitionCmd{shopTarget, lasting{seeded: seeded{&askSeed}, For: 10 * time.Second}, nil, []string{"n1"}, true, true, true, "n2", true, []string{"n1:n2"}, true, "reset", true}},
	{mcp.Blip{InCluster: onShop, Groups: []string{"n1"}, Refuse: "6ms", NoWait: true}, &blipCmd{target: shopTarget, Groups: []string{"n1"}, For: 6 * time.Millisecond, NoWait: true}},
	{mcp.Slow{InCluster: onShop, Until: askTen, Links: []string{"n1:n2"}, Loss: "5%", Rate: "1mbit", Latency: "50ms", Jitter: "10ms", Duplicate: "1%", Corrupt: "2%", Reorder: "3%"},
		&slowCmd{shopTarget, seeded{}, 10 * time.Second, []string{"n1:n2"}, "5%", "1mbit", 50 * time.Millisecond, 10 * time.Millisecond, "1%", "2%", "3%"}},
	{mcp.DNS{OnNodes: askNodes, Until: askTen, None: true, Hide: []string{"n2"}, Stale: []string{"n3"}}, &dnsCmd{askSick, true, []string{"n2"}, []string{"n3"}}},
	{mcp.Squeeze{OnNodes: askNodes, Until: askTen, Memory: "96MiB", CPUs: 0.1, Disk: []string{"/tmp"}}, &squeezeCmd{askSick, "96MiB", 0.1, []string{"/tmp"}}},
	{mcp.Clock{OnNodes: askNodes, Until: askTen, Bump: "-5m", Drift: 1.02, Strobe: "200ms"}, &clockCmd{faulty: askSick, Bump: -5 * time.Minute, Drift: 1.02, Strobe: 200 * time.Millisecond}},
	{mcp.Heal{InCluster: onShop, IDs: []string{"f1"}, NoWait: true}, &healCmd{target: shopTarget, IDs: []string{"f1"}, NoWait: true}},
}

// Each tool of `beamyard mcp` has an input here, and each input means the command of its name.
func TestEveryToolHasACommand(t *testing.T) {
	t.Setenv(exportDir, "/evidence")
	var out, err strings.Builder
	code := run([]string{"mcp", "--allow-changes"}, strings.NewReader(strings.Join([]string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`, "",
	}, "\n")), &out, &err)
	if code != exitOK || err.Len() > 0 {
		t.Fatalf("%d: %s", code, &err)
	}
	var answer struct {
		Result struct{ Tools []struct{ Name string } }
	}
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, `"tools":[`) {
			if err := json.Unmarshal([]byte(line), &answer); err != nil {
				t.Fatal(err)
			}
		}
	}
	var tools, inputs []string
	for _, tool := range answer.Result.Tools {
		tools = append(tools, tool.Name)
	}
	s := &assistant{}
	for _, c := range asks {
		kind := reflect.TypeOf(c.in)
		inputs = append(inputs, strings.ToLower(kind.Name()))
		got, err := s.command(c.in)
		if err != nil {
			t.Errorf("%T: %v", c.in, err)
		}
		if diff := cmp.Diff(c.want, got, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
			t.Errorf("%T: %s", c.in, diff)
		}
	}
	slices.Sort(tools)
	slices.Sort(inputs)
	if diff := cmp.Diff(tools, slices.Compact(inputs)); diff != "" {
		t.Error(diff)
	}
}

// What cannot be a command says what to write instead.
func TestInputsThatAreWrong(t *testing.T) {
	s := &assistant{}
	for _, in := range []mcp.Input{
		mcp.RPC{Timeout: "2m"}, mcp.RPC{Timeout: "-1s"}, mcp.RPC{Timeout: "soon"}, mcp.Logs{Since: "yesterday"}, mcp.Clock{Bump: "5"},
		mcp.Partition{Until: mcp.Until{For: "ever"}}, mcp.Slow{Jitter: "x"}, mcp.Blip{Refuse: "x"}, mcp.DNS{Until: mcp.Until{For: "x"}},
	} {
		_, err := s.command(in)
		if exitCode(err) != exitUsage || len(hints(err)) == 0 {
			t.Errorf("%T%+v: %v", in, in, err)
		}
	}
}

// A server for one cluster names no other one, in whatever way a node is written.
func TestAServerForOneCluster(t *testing.T) {
	s := &assistant{only: "shop"}
	for _, in := range []mcp.Input{
		mcp.List{}, mcp.Status{}, mcp.Status{InCluster: onShop}, mcp.Why{Node: "n1"}, mcp.Why{Node: "shop/n1"}, mcp.Why{Node: "app@n1.shop.test"},
		mcp.Partition{Groups: []string{"n1,shop/n2"}, OneWay: []string{"n1:n2"}}, mcp.Kill{OnNodes: mcp.OnNodes{Nodes: []string{"@one", "n*"}}},
	} {
		if err := s.allowed(in); err != nil {
			t.Errorf("%T%+v: %v", in, in, err)
		}
	}
	for _, in := range []mcp.Input{
		mcp.Status{InCluster: mcp.InCluster{Cluster: "other"}}, mcp.Why{Node: "other/n1"}, mcp.Why{Node: "n1.other.test"}, mcp.Why{Node: "app@n1.other.test"},
		mcp.Events{Node: "other/n1"}, mcp.RPC{Node: "n1,other/n2"}, mcp.Logs{Nodes: []string{"n1", "beamyard-other-n1"}},
		mcp.Partition{Groups: []string{"n1,other/n2"}}, mcp.Partition{Isolate: []string{"other/n1"}}, mcp.Partition{Bridge: "other/n1"},
		mcp.Partition{OneWay: []string{"n1:other/n2"}}, mcp.Blip{Groups: []string{"other/n1"}}, mcp.Slow{Links: []string{"n1:n2,other/n3:n1"}},
		mcp.DNS{OnNodes: askNodes, Hide: []string{"other/n1"}}, mcp.DNS{OnNodes: askNodes, Stale: []string{"other/n1"}},
		mcp.Kill{OnNodes: mcp.OnNodes{Nodes: []string{"n1", "other/@leader:Shop.leader()"}}},
	} {
		if err := s.allowed(in); err == nil || !strings.Contains(err.Error(), "cluster shop alone") {
			t.Errorf("%T%+v: %v", in, in, err)
		}
	}
	for _, c := range asks { // what is not named is in that cluster
		if c.in.Of() == "" {
			continue
		}
		if err := (&assistant{only: "other"}).allowed(c.in); err == nil {
			t.Errorf("%T%+v is allowed", c.in, c.in)
		}
	}
	got, err := s.command(mcp.Health{})
	if diff := cmp.Diff(&healthCmd{target: shopTarget}, got, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestExplain(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	finding := func(code orchestrator.FindingCode, node string, of *orchestrator.Cause) orchestrator.Finding {
		return orchestrator.Finding{Code: code, Node: node, Problem: "something is wrong with " + node, SymptomOf: of, Solutions: []orchestrator.Solution{{Text: hint.Newf("start it: %s", hint.Start.On("shop", node))}}}
	}
	cause := finding("port-in-use", "n2", nil)
	st := orchestrator.Status{Cluster: "shop", Supervised: true, Nodes: []orchestrator.NodeStatus{
		{Name: "n1", State: orchestrator.Ready},
		{Name: "n2", On: "b", State: orchestrator.Failed, Reason: "it failed twice", LastExit: &orchestrator.Exit{Class: orchestrator.ExitBoot, Code: 1, Reason: "eaddrinuse", At: now.Add(-time.Minute)}, Findings: []orchestrator.Finding{cause}},
		{Name: "n3", State: orchestrator.Ready, LastExit: &orchestrator.Exit{Class: orchestrator.ExitKilled, Code: 137, At: now.Add(-3 * time.Second)}},
	}}
	report := orchestrator.HealthReport{
		Report: health.Report{Checks: []health.Check{
			{Group: health.Connectivity, Name: "answers", Node: "n1", State: health.Passed},
			{Group: health.Connectivity, Name: "answers", Node: "n2", State: health.Failed, Means: "n2: its container is stopped", Suggestion: hint.Newf("%s", hint.Start.On("shop", "n2"))},
		}},
		Findings: []orchestrator.Finding{finding("peer-not-there", "n1", &orchestrator.Cause{Code: "port-in-use", Node: "n2"}), cause},
	}
	e := explain(st, report, nil)
	const want = `n2 on b: Failed, boot (exit 1): it failed twice; last exit: boot (exit 1): eaddrinuse, 1m00s ago
n3: Ready; last exit: killed (exit 137), 3s ago
✗ n2 answers: n2: its container is stopped
  → beamyard start shop/n2

port-in-use: something is wrong with n2
  → start it: beamyard start shop/n2

peer-not-there: something is wrong with n1
  → start it: beamyard start shop/n1
`
	if diff := cmp.Diff(want, e.text(now)); diff != "" {
		t.Error(diff)
	}
	data, err := json.Marshal(e.printed())
	if text := string(data); err != nil || !strings.Contains(text, `"text":"start it: beamyard start shop/n2"`) || strings.Contains(text, `"do":"start"`) || strings.Count(text, `"suggestion":"beamyard start shop/n2"`) != 1 {
		t.Errorf("%v: %s", err, text)
	}

	well := orchestrator.Status{Cluster: "shop", Supervised: true, Ready: true, Nodes: st.Nodes[:1]}
	if text := explain(well, orchestrator.HealthReport{}, nil).text(now); !strings.HasPrefix(text, "nothing is wrong now: ") {
		t.Errorf("%q", text)
	}
	if text := explain(well, orchestrator.HealthReport{}, fmt.Errorf("no answer")).text(now); text != "unknown: its health: no answer\n" {
		t.Errorf("%q", text)
	}
}

func TestWriteBriefs(t *testing.T) {
	var b strings.Builder
	err := writeBriefs(&b, []clusterBrief{
		{Cluster: "shop", Ready: true, Supervised: true, Nodes: map[orchestrator.State]int{orchestrator.Ready: 2, orchestrator.Stopped: 1}, Faults: 1},
		{Cluster: "old", Nodes: map[orchestrator.State]int{}},
		{Cluster: "new", Supervised: true, Nodes: map[orchestrator.State]int{orchestrator.Starting: 3}},
	})
	const want = `shop: ready; nodes: 2 ready, 1 stopped; 1 fault in force
old: unsupervised: no process restarts what crashes (beamyard supervise old); nodes: none; 0 faults in force
new: not ready; nodes: 3 starting; 0 faults in force
`
	if diff := cmp.Diff(want, b.String()); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
