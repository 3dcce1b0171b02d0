package orchestrator

import (
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

func TestHintsOfErrors(t *testing.T) {
	failed := errors.New("it failed")
	text := (&network.NameError{Name: "A", Try: "a"}) // of a package that knows no steps
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
		{text, []string{`try "a"`}},
		{errors.Join(failed, start, fmt.Errorf("name: %w", text)), []string{"beamyard start demo/n1", `try "a"`}},
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
