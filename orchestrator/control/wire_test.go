package control

import (
	"errors"
	"fmt"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/google/go-cmp/cmp"
)

func TestErrorsCrossTheWire(t *testing.T) {
	cluster := &orchestrator.ClusterError{Cluster: "demo", Kind: orchestrator.ErrNodeFailed, Problems: []orchestrator.NodeProblem{
		{Node: "n2", State: orchestrator.Failed, Reason: "exit 1", Hint: "beamyard logs n2", Output: []string{"boom"}},
	}}
	spec := &orchestrator.SpecError{Problems: []orchestrator.Problem{{Field: "name", Text: "no name", Hint: "give one"}}}
	for _, tc := range []struct {
		err   error
		match []error
		hint  string
	}{
		{errors.New("plain"), nil, ""},
		{fmt.Errorf("start n1: %w", orchestrator.ErrPortTaken), []error{orchestrator.ErrPortTaken}, ""},
		{orchestrator.WithHint(fmt.Errorf("%w: n9", orchestrator.ErrNoNode), "it has n1"), []error{orchestrator.ErrNoNode}, "it has n1"},
		{orchestrator.WithHint(errors.New("100% wrong"), "100%% sure"), nil, "100% sure"},
		{errors.Join(orchestrator.ErrConflict, orchestrator.ErrNotRunning), []error{orchestrator.ErrConflict, orchestrator.ErrNotRunning}, ""},
		{cluster, []error{orchestrator.ErrNodeFailed}, "beamyard logs n2"},
		{spec, []error{orchestrator.ErrInvalidSpec}, "give one"},
		{
			&orchestrator.DiagnosedError{Err: fmt.Errorf("start: %w", orchestrator.ErrPortTaken), Findings: []diagnosis.Finding{
				{Code: "port-taken", Problem: "taken", Solutions: []diagnosis.Solution{{Text: "see who", Command: "ss -ltnp"}}},
			}},
			[]error{orchestrator.ErrPortTaken}, "see who: ss -ltnp",
		},
	} {
		t.Run(tc.err.Error(), func(t *testing.T) {
			f := newFake()
			f.fail = tc.err
			c, _ := served(t, f)
			for call, err := range map[string]error{
				"call":   c.Down(t.Context()),
				"stream": c.Logs(t.Context(), orchestrator.LogQuery{}, nil),
			} {
				if err == nil || err.Error() != tc.err.Error() {
					t.Errorf("%s: error %q", call, err)
				}
				for _, m := range tc.match {
					if !errors.Is(err, m) {
						t.Errorf("%s: does not match %v", call, m)
					}
				}
				if errors.Is(err, orchestrator.ErrEngineUnreachable) {
					t.Errorf("%s: matches what it never was", call)
				}
				var h orchestrator.Hinter
				if hinted := errors.As(err, &h); hinted != (tc.hint != "") || hinted && h.Hint() != tc.hint {
					t.Errorf("%s: hint %v, want %q", call, h, tc.hint)
				}
			}
		})
	}
}

func TestTypedErrorsCrossWhole(t *testing.T) {
	want := &orchestrator.ClusterError{Cluster: "demo", Kind: orchestrator.ErrNotReady, Problems: []orchestrator.NodeProblem{
		{Node: "n1", State: orchestrator.Starting, Reason: "n1 cannot resolve n2", Output: []string{"a", "b"}, Findings: []diagnosis.Finding{
			{Code: "not-connected", Node: "n1", Problem: "p", Solutions: []diagnosis.Solution{}, SymptomOf: &diagnosis.Cause{Code: "cookie-mismatch", Node: "n2"}},
		}},
	}}
	decoded, err := DecodeError(EncodeError(want))
	var got *orchestrator.ClusterError
	if err != nil || !errors.As(decoded, &got) {
		t.Fatalf("DecodeError = %v, %v", decoded, err)
	}
	if diff := cmp.Diff(want.Problems, got.Problems); diff != "" || !errors.Is(got, orchestrator.ErrNotReady) {
		t.Error(got, diff)
	}
	if decoded, err := DecodeError(EncodeError(nil)); decoded != nil || err != nil {
		t.Errorf("nil became %v, %v", decoded, err)
	}
	if _, err := DecodeError([]byte("no JSON")); err == nil {
		t.Error("what is no error decodes")
	}
}

// Every sentinel of the orchestrator is in the table, or a client could not
// tell one failure from another.
func TestEachKindHasItsOwnName(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range kinds {
		if seen[k.name] {
			t.Errorf("%s twice", k.name)
		}
		seen[k.name] = true
		if got, _ := DecodeError(EncodeError(k.err)); !errors.Is(got, k.err) {
			t.Errorf("%s is lost on the way", k.name)
		}
	}
}
