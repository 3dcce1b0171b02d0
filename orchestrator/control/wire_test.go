package control

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/google/go-cmp/cmp"
)

func TestErrorsCrossTheWire(t *testing.T) {
	cluster := &orchestrator.ClusterError{Cluster: "demo", Kind: orchestrator.ErrNodeFailed, Problems: []orchestrator.NodeProblem{
		{Node: "n2", State: orchestrator.Failed, Reason: "exit 1", Hint: hint.Newf("see %s", hint.Tail.On("demo", "n2")), Output: []string{"boom"}},
	}}
	spec := &orchestrator.SpecError{Problems: []orchestrator.Problem{{Field: "name", Text: "no name", Hint: hint.Text("give one")}}}
	for _, tc := range []struct {
		err   error
		match []error
		hint  hint.Hint
	}{
		{errors.New("plain"), nil, nil},
		{fmt.Errorf("start n1: %w", orchestrator.ErrPortTaken), []error{orchestrator.ErrPortTaken}, nil},
		{orchestrator.WithHint(fmt.Errorf("%w: n9", orchestrator.ErrNoNode), "it has n1"), []error{orchestrator.ErrNoNode}, hint.Text("it has n1")},
		{
			orchestrator.WithHint(fmt.Errorf("n2: %w", orchestrator.ErrNotRunning), "start it: %s, or not", hint.Start.On("demo", "n2")), []error{orchestrator.ErrNotRunning},
			hint.Newf("start it: %s, or not", hint.Start.On("demo", "n2")),
		},
		{orchestrator.WithHint(errors.New("100% wrong"), "100%% sure"), nil, hint.Text("100% sure")},
		{errors.Join(orchestrator.ErrConflict, orchestrator.ErrNotRunning), []error{orchestrator.ErrConflict, orchestrator.ErrNotRunning}, nil},
		{cluster, []error{orchestrator.ErrNodeFailed}, hint.Newf("see %s", hint.Tail.On("demo", "n2"))},
		{spec, []error{orchestrator.ErrInvalidSpec}, hint.Text("give one")},
		{
			&orchestrator.DiagnosedError{Err: fmt.Errorf("start: %w", orchestrator.ErrPortTaken), Findings: []orchestrator.Finding{
				{Code: "port-taken", Problem: "taken", Solutions: []orchestrator.Solution{{Text: hint.Text("see who"), Do: hint.Text("ss -ltnp")}, {Text: hint.Text("then"), Do: hint.Of(hint.Start.On("demo", "n2"))}}},
			}},
			[]error{orchestrator.ErrPortTaken}, hint.Newf("see who: ss -ltnp\nthen: %s", hint.Start.On("demo", "n2")),
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
					t.Errorf("%s: matches an error that it was not", call)
				}
				if diff := cmp.Diff(tc.hint, orchestrator.HintOf(err)); diff != "" {
					t.Errorf("%s: hint %s", call, diff)
				}
			}
		})
	}
}

func TestTypedErrorsCrossComplete(t *testing.T) {
	want := &orchestrator.ClusterError{Cluster: "demo", Kind: orchestrator.ErrNotReady, Problems: []orchestrator.NodeProblem{
		{Node: "n1", State: orchestrator.Starting, Reason: "n1 cannot resolve n2", Output: []string{"a", "b"}, Findings: []orchestrator.Finding{
			{Code: "not-connected", Node: "n1", Problem: "p", Solutions: []orchestrator.Solution{}, SymptomOf: &orchestrator.Cause{Code: "cookie-mismatch", Node: "n2"}},
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
	// Earlier supervisors wrote hints as texts.
	decoded, err = DecodeError([]byte(`{"text":"n2: not running","hint":"beamyard start n2"}`))
	if h := orchestrator.HintOf(decoded); err != nil || h.String() != "beamyard start n2" {
		t.Errorf("%v, %v, hint %q", decoded, err, h)
	}
	if _, err := DecodeError([]byte("no JSON")); err == nil {
		t.Error("text that is not an error is decoded")
	}
}

// Every sentinel of the orchestrator is in the table. Otherwise a client could not tell
// failures apart.
func TestEachKindHasItsOwnName(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range kinds {
		if seen[k.Name] {
			t.Errorf("%s twice", k.Name)
		}
		seen[k.Name] = true
		if got, _ := DecodeError(EncodeError(k.Err)); !errors.Is(got, k.Err) {
			t.Errorf("%s does not arrive", k.Name)
		}
	}
}

// A new sentinel of one of these packages must be added to the table, or here with the
// reason why it never crosses.
func TestEverySentinelIsInTheTable(t *testing.T) {
	never := map[string]string{}
	words := map[string]string{}
	for _, k := range kinds {
		words[k.Err.Error()] = k.Name
	}
	found := 0
	for name, folder := range map[string]string{"orchestrator": "..", "images": "../../images", "control": "."} {
		for sentinel, text := range sentinelsIn(t, folder) {
			found++
			id := name + "." + sentinel
			switch _, in := words[text]; {
			case in && never[id] != "":
				t.Errorf("%s is in the table, and in the list of those that never cross", id)
			case !in && never[id] == "":
				t.Errorf("%s (%q) loses its identity over the socket: add it to sentinels.All", id, text)
			}
		}
	}
	if found < 24 {
		t.Errorf("only %d sentinels were found", found)
	}
}

// sentinelsIn returns the exported package variables that are created with errors.New,
// and their texts.
func sentinelsIn(t *testing.T, folder string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.VAR {
				continue
			}
			for _, spec := range group.Specs {
				value := spec.(*ast.ValueSpec)
				for i, name := range value.Names {
					if !name.IsExported() || !strings.HasPrefix(name.Name, "Err") || i >= len(value.Values) {
						continue
					}
					call, ok := value.Values[i].(*ast.CallExpr)
					if !ok || len(call.Args) != 1 {
						t.Errorf("%s: %s is not created with errors.New: add it here with the reason", file, name.Name)
						continue
					}
					text, err := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value)
					if err != nil {
						t.Fatal(err)
					}
					found[name.Name] = text
				}
			}
		}
	}
	return found
}
