package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// specifiedFake is a fake that knows its spec.
type specifiedFake struct{ *fake }

func (specifiedFake) Spec() orchestrator.Spec { return secretSpec() }

func secretSpec() orchestrator.Spec {
	return orchestrator.Spec{
		Name: "demo", Cookie: "c00kie", Nodes: orchestrator.NodeNames(2),
		Env: map[string]string{"TOKEN": "t0ken"}, Secrets: []string{"TOKEN"},
	}.Defaulted()
}

func TestSpec(t *testing.T) {
	c, _ := served(t, newFake())
	if _, err := c.Spec(t.Context()); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a supervisor that does not know its spec: %v", err)
	}
	home(t)
	l, err := Listen(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, specifiedFake{newFake()}) }()
	knows, err := Dial(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	got, err := knows.Spec(t.Context())
	if diff := cmp.Diff(secretSpec(), got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(orchestrator.Spec{}.Pool)); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	knows.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Clusters with a listening supervisor are listed from every folder. Those of dead ones
// are not.
func TestAnswering(t *testing.T) {
	folder := home(t)
	if got := Answering(t.Context()); len(got) != 0 {
		t.Errorf("without a supervisor: %v", got)
	}
	for _, name := range []string{"yard", "shop"} {
		l, err := Listen(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	if err := os.WriteFile(filepath.Join(folder, "dead.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", "") // as sudo leaves it
	l, err := Listen(t.Context(), "sudo")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("XDG_RUNTIME_DIR", filepath.Dir(folder))
	if got := Answering(t.Context()); !slices.Equal(got, []string{"shop", "sudo", "yard"}) {
		t.Errorf("%v", got)
	}
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if got := Answering(gone); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
