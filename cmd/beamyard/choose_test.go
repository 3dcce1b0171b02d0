package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/ask"
	"github.com/beamyard/beamyard/orchestrator/chaos"
	choice "github.com/beamyard/beamyard/orchestrator/target"
	"github.com/google/go-cmp/cmp"
)

// A command chooses among the nodes to which it can do something.
func TestCandidates(t *testing.T) {
	st := orchestrator.Status{Nodes: []orchestrator.NodeStatus{
		{Name: "n1", State: orchestrator.Ready}, {Name: "n2", State: orchestrator.Degraded, Paused: true}, {Name: "n3", State: orchestrator.Stopped},
	}}
	for command, want := range map[string]string{"kill": "running: n1 n2", "start": "down: n3", "pause": "running: n1", "unpause": "paused: n2"} {
		what, nodes := candidates(command, st)
		if got := what + ": " + strings.Join(nodes, " "); got != want {
			t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
}

// spoken is a chooser of three nodes, and what it prints.
func spoken(t *testing.T, s *seeded) (*nodeChooser, *strings.Builder) {
	t.Helper()
	var said strings.Builder
	a := newApp(strings.NewReader(""), &said, &said, nil)
	st := orchestrator.Status{}
	for _, n := range orchestrator.NodeNames(3) {
		st.Nodes = append(st.Nodes, orchestrator.NodeStatus{Name: n.Name, State: orchestrator.Ready})
	}
	c := &nodeChooser{Chooser: choice.Chooser{Spec: orchestrator.Spec{Nodes: orchestrator.NodeNames(3)}}, app: a, command: "kill", seeded: s}
	c.status = func(context.Context) (orchestrator.Status, ask.Evaluator, func()) { return st, nil, func() {} }
	return c, &said
}

func TestGroupsAndPairs(t *testing.T) {
	seed := uint64(1)
	c, said := spoken(t, &seeded{&seed})
	groups, err := c.groups(t.Context(), []string{"n1,demo/n2", "@one"})
	if err != nil || len(groups) != 2 || cmp.Diff([]string{"n1", "n2"}, groups[0]) != "" || !strings.HasSuffix(said.String(), " (seed 1)\n") {
		t.Errorf("%v, %v: %s", groups, err, said)
	}
	c, said = spoken(t, nil)
	pairs, err := c.pairs(t.Context(), []string{"@all:n1,n2:n3"}, false)
	want := []fault.Pair{{From: "n2", To: "n1"}, {From: "n3", To: "n1"}, {From: "n2", To: "n3"}}
	if diff := cmp.Diff(want, pairs); diff != "" || err != nil || said.Len() > 0 {
		t.Errorf("%v: %s%s", err, diff, said)
	}
	pairs, err = c.pairs(t.Context(), []string{"n1"}, true)
	if diff := cmp.Diff([]fault.Pair{{From: "n1", To: "*"}, {From: "*", To: "n1"}}, pairs); diff != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
	for _, wrong := range []string{"n1", "n1:n2:n3"} {
		if _, err := c.pairs(t.Context(), []string{wrong}, false); !errors.As(err, new(*usageError)) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	if _, err := c.nodes(t.Context(), "@one"); err != nil || strings.Contains(said.String(), "seed") || !strings.HasPrefix(said.String(), "@one is n") {
		t.Errorf("%v: %s", err, said)
	}
}

// A failure says the command that plays the schedule again.
func TestChaosAgain(t *testing.T) {
	after := 50 * time.Millisecond
	c := chaosCmd{Recovery: time.Minute, Settle: 20 * time.Second, Faults: []string{"kill", "blip"}, Check: []string{"a == b", "ok?()"}, AfterHeal: &after}
	s := chaos.Schedule{Seed: 9, For: 90 * time.Second, Every: 10 * time.Second}
	want := `beamyard chaos -c demo --seed 9 --for 1m30s --every 10s --faults kill,blip --after-heal 50ms --settle 20s --check 'a == b' --check 'ok?()'`
	if got := c.again("demo", s); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	c.Replay = "s 1.json"
	if got, want := c.again("demo", s), `beamyard chaos -c demo --replay 's 1.json' --settle 20s --check 'a == b' --check 'ok?()'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
