package orchestrator

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

func TestEventsArePrintedWithTheirHints(t *testing.T) {
	plain := Event{Seq: 1, Node: "n1", Kind: EventState, State: Ready, Text: "n1 ready"}
	if diff := cmp.Diff(plain, plain.Printed()); diff != "" || plain.String() != "n1 ready" {
		t.Errorf("%s: %s", plain, diff)
	}
	kept := Event{Seq: 2, Kind: EventPhase, Text: "kept for a look", Hint: hint.Newf("remove it with `%s`", hint.Down.On("demo"))}
	want := Event{Seq: 2, Kind: EventPhase, Text: "kept for a look; remove it with `beamyard down demo`"}
	if diff := cmp.Diff(want, kept.Printed()); diff != "" || kept.String() != want.Text {
		t.Errorf("%s: %s", kept, diff)
	}
}

// Scripts get solutions as text.
func TestFindingsArePrintedAsText(t *testing.T) {
	found := []Finding{{Code: "node-paused", Node: "n1", Problem: "n1 is paused", Solutions: []Solution{
		{Text: hint.Text("unpause it"), Do: hint.Of(hint.Unpause.On("demo", "n1"))},
		{Text: hint.Newf("or let it wait: %s", hint.Setting("ready_timeout"))},
		{Do: hint.Text("docker top beamyard-demo-n1")},
	}}}
	const want = `[{"code":"node-paused","node":"n1","problem":"n1 is paused","solutions":[` +
		`{"text":"unpause it","command":"beamyard unpause demo/n1"},` +
		`{"text":"or let it wait: ready_timeout: in beamyard.yml"},` +
		`{"text":"","command":"docker top beamyard-demo-n1"}]}]`
	printed := map[string][]Finding{
		"event":   {*Event{Finding: &found[0]}.Printed().Finding},
		"status":  Status{Nodes: []NodeStatus{{Findings: found}}}.Printed().Nodes[0].Findings,
		"health":  HealthReport{Findings: found}.Printed().Findings,
		"problem": NodeProblem{Findings: found}.Printed().Findings,
	}
	for of, findings := range printed {
		if got, err := json.Marshal(findings); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v\nwant %s", of, got, err, want)
		}
	}
	// They cross the control socket with their steps.
	var decoded []Finding
	data, err := json.Marshal(found)
	if err := errors.Join(err, json.Unmarshal(data, &decoded)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(found, decoded); diff != "" {
		t.Error(diff)
	}
}

func TestHintsOfFindings(t *testing.T) {
	f := Finding{Solutions: []Solution{
		{Text: hint.Text("unpause it"), Do: hint.Of(hint.Unpause.On("demo", "n1"))},
		{Text: hint.Newf("it is paused (%s ends it)", hint.Unpause.On("demo", "n1")), Do: hint.Of(hint.Unpause.On("demo", "n1"))},
		{Do: hint.Of(hint.Doctor.With())},
	}}
	const want = "unpause it: beamyard unpause demo/n1\nit is paused (beamyard unpause demo/n1 ends it)\nbeamyard doctor"
	if got := f.Hint().String(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestHintsOfErrors(t *testing.T) {
	failed := errors.New("it failed")
	named := &network.NameError{Name: "A", Try: "a"}
	start := WithHint(failed, "%s", hint.Start.On("demo", "n1"))
	for _, tc := range []struct {
		err  error
		want []string
	}{
		{nil, nil},
		{failed, nil},
		{WithHint(failed, ""), nil},
		{start, []string{"beamyard start demo/n1"}},
		{fmt.Errorf("up: %w", start), []string{"beamyard start demo/n1"}},
		{WithHint(fmt.Errorf("up: %w", start), "the outermost"), []string{"the outermost"}},
		{&DiagnosedError{Err: start}, []string{"beamyard start demo/n1"}},
		{named, []string{`try "a"`}},
		{errors.Join(failed, start, fmt.Errorf("name: %w", named)), []string{"beamyard start demo/n1", `try "a"`}},
	} {
		var got []string
		for _, h := range Hints(tc.err) {
			got = append(got, h.String())
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%v: %s", tc.err, diff)
		}
		if first := HintOf(tc.err).String(); len(got) > 0 && first != got[0] || len(got) == 0 && first != "" {
			t.Errorf("%v: the first is %q", tc.err, first)
		}
	}
}
