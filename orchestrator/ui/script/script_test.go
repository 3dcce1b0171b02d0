package script

import (
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
	"github.com/beamyard/beamyard/orchestrator/suite"
	"github.com/google/go-cmp/cmp"
)

// history is a journal, written step by step.
type history struct {
	at      time.Time
	entries []orchestrator.JournalEntry
}

func (h *history) wait(d time.Duration) { h.at = h.at.Add(d) }

func (h *history) user(node, text string) {
	h.entries = append(h.entries, orchestrator.JournalEntry{Time: h.at, Source: orchestrator.FromUser, Node: node, Text: text})
}

func (h *history) fault(id string, f fault.Fault, healed bool) {
	f.ID = id
	h.entries = append(h.entries, orchestrator.JournalEntry{Time: h.at, Source: orchestrator.FromFault, Text: id + ": " + f.String(), Fault: &f, Healed: healed})
}

// everything is a journal with each thing that can be done.
func everything() (Cluster, []orchestrator.JournalEntry) {
	h := &history{at: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
	h.entries = append(h.entries,
		orchestrator.JournalEntry{Time: h.at, Source: orchestrator.FromEngine, Node: "n1", Text: "start"},
		orchestrator.JournalEntry{Time: h.at, Source: orchestrator.FromNode, Node: "n1", Peer: "n2", Text: "nodeup n2"})
	gone := fault.Partition([]string{"n9"})
	h.fault("f0", gone, true) // injected before the journal begins
	h.user("n2", "kill with SIGKILL")
	h.wait(3210 * time.Millisecond)
	h.user("n1", "kill with SIGTERM")
	h.user("n1", "stop")
	h.wait(200 * time.Millisecond)
	h.user("n1", "start")
	h.wait(time.Minute)
	h.user("n3", "restart")
	h.user("n3", "pause")
	h.wait(10 * time.Second)
	h.user("n3", "unpause")

	silence := fault.Partition([]string{"n1"})
	h.fault("fa", silence, false)
	reset := fault.Partition([]string{"n1"}, []string{"n2", "n3"})
	reset.How, reset.Hard = fault.Reset, true
	h.fault("fb", reset, false)
	h.wait(12500 * time.Millisecond)
	h.fault("fb", reset, true)
	h.fault("fa", silence, true)
	oneWay := fault.OneWay(fault.Pair{From: "n1", To: "n2"})
	h.fault("fc", oneWay, false)
	h.fault("fc", oneWay, true)
	apart := fault.Partition([]string{"n3"})
	apart.How = fault.Disconnect
	h.fault("fd", apart, false)
	h.fault("fe", fault.Link(fault.Quality{Loss: 5, Shaping: fault.Shaping{Rate: 1_000_000, Latency: 50 * time.Millisecond, Jitter: 500 * time.Microsecond}},
		fault.Pair{From: "n1", To: fault.Everyone}, fault.Pair{From: fault.Everyone, To: "n1"}), false)
	h.fault("ff", fault.Link(fault.Quality{Shaping: fault.Shaping{Latency: 1500 * time.Millisecond, Duplicate: 0.5, Corrupt: 1, Reorder: 2}}, fault.Pair{From: "n1", To: "n2"}), false)
	h.fault("fg", fault.Fault{Kind: fault.KindDNS, Nodes: []string{"n1"}, DNS: fault.DNS{Answers: fault.StaleAnswers, Peers: []string{"n2"}}}, false)
	h.fault("fh", fault.Fault{Kind: fault.KindDNS, Nodes: []string{"n1", "n2"}, DNS: fault.DNS{Answers: fault.NoAnswers}}, false)
	h.fault("fi", fault.Fault{Kind: fault.KindClock, Nodes: []string{"n1"}, Clock: fault.Clock{Bump: -time.Hour, Drift: 1.5, Strobe: 200 * time.Millisecond}}, false)
	squeeze := fault.Fault{Kind: fault.KindSqueeze, Nodes: []string{"n2"}, Limits: fault.Limits{Memory: 64 << 20, CPUs: 0.1, Full: []string{`/data "x"`}}}
	h.fault("fj", squeeze, false)
	h.fault("fj", squeeze, true)
	h.fault("fk", fault.Link(fault.Quality{Loss: 1}, fault.Pair{From: fault.Everyone, To: "n1"}), false)
	h.entries = append(h.entries, orchestrator.JournalEntry{Time: h.at, Source: orchestrator.FromFault, Node: "n1", Text: "disconnected from n2\nand n3"})
	h.user("", "down")
	spec := orchestrator.Spec{Name: "demo", Nodes: orchestrator.NodeNames(3)}.Defaulted()
	return Cluster{Spec: spec, Source: "/src/demo"}, h.entries
}

const goText = `package cluster_test

import (
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/testsupport"
)

// TestWhatWasDone does to a new cluster what was done to demo.
func TestWhatWasDone(t *testing.T) {
	c := testsupport.Start(t, "/src/demo", testsupport.WithNodes(3), testsupport.WithNetTick(time.Minute),
		testsupport.WithRestart(orchestrator.RestartPolicy{Mode: orchestrator.RestartOnFailure}))
	c.Crash(t, "n2")
	time.Sleep(3200 * time.Millisecond)
	// n1: kill with SIGTERM
	c.Stop(t, "n1")
	c.Start(t, "n1")
	time.Sleep(time.Minute)
	c.Restart(t, "n3")
	c.Pause(t, "n3")
	time.Sleep(10 * time.Second)
	c.Unpause(t, "n3")
	fault1 := c.Partition(t, []string{"n1"})
	fault2 := c.Inject(t, fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n1"}, {"n2", "n3"}}, How: fault.Reset, Hard: true})
	time.Sleep(13 * time.Second)
	c.Heal(t, fault2)
	c.Heal(t, fault1)
	fault3 := c.Inject(t, fault.Fault{Kind: fault.KindCut, Pairs: []fault.Pair{{From: "n1", To: "n2"}}, How: fault.Drop})
	c.Heal(t, fault3)
	c.Inject(t, fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n3"}}, How: fault.Disconnect})
	c.Slow(t, fault.Quality{Loss: 5, Shaping: fault.Shaping{Rate: 1000000, Latency: 50 * time.Millisecond, Jitter: 500 * time.Microsecond}}, fault.Pair{From: "n1", To: fault.Everyone}, fault.Pair{From: fault.Everyone, To: "n1"})
	c.Slow(t, fault.Quality{Shaping: fault.Shaping{Latency: 1500 * time.Millisecond, Duplicate: 0.5, Corrupt: 1, Reorder: 2}}, fault.Pair{From: "n1", To: "n2"})
	c.DNS(t, fault.DNS{Answers: fault.StaleAnswers, Peers: []string{"n2"}}, "n1")
	c.DNS(t, fault.DNS{Answers: fault.NoAnswers}, "n1", "n2")
	c.Clock(t, fault.Clock{Bump: -time.Hour, Drift: 1.5, Strobe: 200 * time.Millisecond}, "n1")
	fault4 := c.Squeeze(t, fault.Limits{Memory: 67108864, CPUs: 0.1, Full: []string{"/data \"x\""}}, "n2")
	c.Heal(t, fault4)
	c.Slow(t, fault.Quality{Loss: 1}, fault.Pair{From: fault.Everyone, To: "n1"})
	// n1 disconnected from n2 and n3
	// Check here what must hold.
}
`

const exText = `defmodule WhatWasDoneTest do
  use Beamyard.Case

  # Does to the cluster of a test what was done to demo.
  @tag nodes: 3, faults: true, timeout: :infinity
  test "what was done" do
    Beamyard.crash("n2")
    Process.sleep(3200)
    # n1: kill with SIGTERM
    Beamyard.stop("n1")
    Beamyard.start("n1")
    Process.sleep(60000)
    Beamyard.restart("n3")
    Beamyard.pause("n3")
    Process.sleep(10000)
    Beamyard.unpause("n3")
    fault1 = Beamyard.partition([["n1"]])
    fault2 = Beamyard.partition([["n1"], ["n2", "n3"]], how: :reset, hard: true)
    Process.sleep(13000)
    Beamyard.heal(fault2)
    Beamyard.heal(fault1)
    # cut n1→n2, drop (ExUnit has no function for it)
    # healed: cut n1→n2, drop
    Beamyard.partition([["n3"]], how: :disconnect)
    Beamyard.slow(["n1"], loss: 5, rate: 1_000_000, latency: 50, jitter: 1)
    Beamyard.slow([{"n1", "n2"}], latency: 1500, duplicate: 0.5, corrupt: 1, reorder: 2)
    Beamyard.dns(["n1"], answers: :stale, peers: ["n2"])
    Beamyard.dns(["n1", "n2"], answers: :none)
    Beamyard.clock(["n1"], bump: -3_600_000, drift: 1.5, strobe: 200)
    fault4 = Beamyard.squeeze(["n2"], memory: 67_108_864, cpus: 0.1, full: ["/data \"x\""])
    Beamyard.heal(fault4)
    # link *→n1, loss 1% (ExUnit has no function for it)
    # n1 disconnected from n2 and n3
    # Check here what must hold.
  end
end
`

func TestGo(t *testing.T) {
	got := Go(everything())
	if diff := cmp.Diff(goText, got); diff != "" {
		t.Error(diff)
	}
	for what, tc := range map[string]struct {
		spec    orchestrator.Spec
		journal []orchestrator.JournalEntry
		has     string
	}{
		"nothing":                {orchestrator.Spec{Name: "demo", Image: "shop:1", Nodes: orchestrator.NodeNames(2), NetTick: 8 * time.Second, Restart: orchestrator.RestartPolicy{Mode: orchestrator.RestartNo}}, nil, `testsupport.Start(t, "shop:1", testsupport.WithNodes(2), testsupport.WithNetTick(8*time.Second))`},
		"a file that has it all": {orchestrator.Spec{Name: "demo", File: "/shop/beamyard.yml", Nodes: []orchestrator.NodeSpec{{Name: "web"}}, Restart: orchestrator.RestartPolicy{Mode: orchestrator.RestartNo}}, nil, `testsupport.Start(t, "/shop/beamyard.yml", testsupport.WithNetTick(time.Minute))`},
		"other restarts":         {orchestrator.Spec{Name: "demo", Restart: orchestrator.RestartPolicy{Mode: orchestrator.RestartAlways}, Distribution: orchestrator.Distribution{OverlappingPartitions: true}}, nil, "testsupport.WithOverlappingPartitions(),\n\t\ttestsupport.WithRestart(orchestrator.RestartPolicy{Mode: orchestrator.RestartAlways}))"},
	} {
		got := Go(Cluster{Spec: tc.spec}, tc.journal)
		if !strings.Contains(got, tc.has) {
			t.Errorf("%s: %s", what, got)
		}
		if formatted, err := format.Source([]byte(got)); err != nil || string(formatted) != got {
			t.Errorf("%s: it is not formatted: %v\n%s", what, err, cmp.Diff(string(formatted), got))
		}
	}
	if formatted, err := format.Source([]byte(got)); err != nil || string(formatted) != got {
		t.Errorf("it is not formatted: %v\n%s", err, cmp.Diff(string(formatted), got))
	}
}

// The text compiles, and go vet has nothing to say against it.
func TestTheGoTextCompiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cluster_test.go")
	if err := os.WriteFile(file, []byte(Go(everything())), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "vet", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestExUnit(t *testing.T) {
	if diff := cmp.Diff(exText, ExUnit(everything())); diff != "" {
		t.Error(diff)
	}
}

// The functions are those of the module that a suite gets.
func TestTheFunctionsOfExUnitExist(t *testing.T) {
	calls := regexp.MustCompile(`Beamyard\.([a-z_]+)\(`).FindAllStringSubmatch(ExUnit(everything()), -1)
	if len(calls) < 15 {
		t.Errorf("there are only %d calls", len(calls))
	}
	for _, call := range calls {
		if !regexp.MustCompile(`(?m)^  def ` + call[1] + `\(`).MatchString(suite.Module) {
			t.Errorf("the suite's module has no function %s", call[1])
		}
	}
	if !strings.Contains(suite.Module, "defmodule Beamyard.Case do") {
		t.Error("there is no Beamyard.Case")
	}
}

// The journal's texts of requests are those that are looked for.
func TestTheTextsOfRequests(t *testing.T) {
	for kind, want := range map[supervisor.CommandKind]verb{
		supervisor.CmdStart: start, supervisor.CmdStop: stop, supervisor.CmdRestart: restart, supervisor.CmdKill: crash, supervisor.CmdPause: pause, supervisor.CmdUnpause: unpause,
	} {
		if got, ok := requests[kind.Request("KILL")]; !ok || got != want {
			t.Errorf("%q is not known", kind.Request("KILL"))
		}
	}
}
