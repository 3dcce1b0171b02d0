package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

type pagedFake struct{ *fake }

func (p pagedFake) Page(_ context.Context, r PageRequest) (Page, error) {
	return Page{URL: fmt.Sprintf("http://localhost:%d/?token=t", r.Port)}, p.ask("page read-only=%t", r.ReadOnly)
}

func TestPage(t *testing.T) {
	c, _ := served(t, newFake())
	if _, err := c.Page(t.Context(), PageRequest{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a supervisor of an earlier version: %v", err)
	}
	f := newFake()
	home(t)
	l, err := Listen(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, pagedFake{f}) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	c, err = Dial(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p, err := c.Page(t.Context(), PageRequest{Port: 8400, ReadOnly: true})
	if err != nil || p.URL != "http://localhost:8400/?token=t" || <-f.asked != "page read-only=true" {
		t.Errorf("%+v, %v", p, err)
	}
	f.fail = orchestrator.WithHint(errors.New("the port is taken"), "choose another")
	if _, err := c.Page(t.Context(), PageRequest{}); err == nil || err.Error() != "the port is taken" || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}

// Other users can read neither the file that leads a browser to the page, nor its folder.
func TestPageFile(t *testing.T) {
	folder := home(t)
	for _, text := range []string{"first", "second"} {
		path, err := PageFile("demo", text)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil || info.Mode().Perm() != 0o600 || string(data) != text || !strings.HasPrefix(path, folder) {
			t.Errorf("%s has mode %s and %q, %v", path, info.Mode(), data, err)
		}
		if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("its folder has mode %s, %v", info.Mode(), err)
		}
	}
	// A link that someone left there is not followed.
	target := filepath.Join(t.TempDir(), "target")
	if err := os.WriteFile(target, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(folder, "demo"+pageExt)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, filepath.Join(folder, "demo"+pageExt)); err != nil {
		t.Fatal(err)
	}
	if _, err := PageFile("demo", "secret"); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(target); err != nil || string(data) != "kept" {
		t.Errorf("the target has %q, %v", data, err)
	}
	if err := RemoveFiles("demo"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "demo"+pageExt)); !os.IsNotExist(err) {
		t.Errorf("it is left: %v", err)
	}
}
