package images

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A build on a layer writes the sources that the layer does not hold, and removes those that
// are gone.
func TestALayersSourcesAreUpdated(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	write(t, src.Dir, map[string]string{"lib/gone.ex": "1", "lib/kept.ex": "1", "lib/built.ex": "1", "lib/old/x.ex": "1"})
	eng.mix = func(*fakeWorkshop) string { return says("/app", `, "deps": [{"app": "jason", "kind": "hex"}]`) }
	eng.said = func(c Command) (string, int) {
		if c.Args[len(c.Args)-1] == changedSources {
			return "lib/built.ex\x00", 0 // by a dependency
		}
		return "", 0
	}
	resolved(t, eng, src, Options{})

	if err := os.Remove(filepath.Join(src.Dir, "lib", "gone.ex")); err != nil {
		t.Fatal(err)
	}
	write(t, src.Dir, map[string]string{"lib/tiny.ex": "defmodule Tiny do\n\nend\n", "lib/new.ex": "1"})
	image := resolved(t, eng, src, Options{})
	var wrote []string
	for _, name := range eng.wrote {
		if strings.HasPrefix(name, workDir+"/") {
			wrote = append(wrote, name)
		}
	}
	if diff := cmp.Diff([]string{"/app/lib/built.ex", "/app/lib/new.ex", "/app/lib/tiny.ex"}, wrote); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	if got := eng.made[image.Ref][scratch+"/gone"]; got != "/app/lib/gone.ex\x00" {
		t.Errorf("removed: %q", got)
	}
	for _, name := range []string{"kept.ex", "old/x.ex", "tiny.ex"} {
		if _, there := eng.made[image.Ref]["/app/lib/"+name]; !there {
			t.Errorf("the image lacks %s", name)
		}
	}
}

// What the commands of a build have changed is found by its modification time.
func TestChangedSources(t *testing.T) {
	dir := t.TempDir()
	names := []string{"a b.ex", "changed.ex", "gone.ex", "kept.ex", "link.ex"}
	for _, name := range append(slices.Clone(names), "list") {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, name), epoch, epoch); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "list"), []byte(strings.Join(names, "\x00")+"\x00"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func() error{
		func() error { return os.Chtimes(filepath.Join(dir, "list"), epoch, epoch) },
		func() error { return os.Chtimes(filepath.Join(dir, "changed.ex"), epoch, epoch.Add(time.Second)) },
		func() error { return os.Remove(filepath.Join(dir, "gone.ex")) },
		func() error { return os.Remove(filepath.Join(dir, "link.ex")) },
		func() error { return os.Symlink("kept.ex", filepath.Join(dir, "link.ex")) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	script := strings.NewReplacer(sourcesOfLayer, filepath.Join(dir, "list"), "cd "+workDir, "cd "+dir).Replace(changedSources)
	out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput()
	if want := "changed.ex\x00gone.ex\x00link.ex\x00"; err != nil || string(out) != want {
		t.Errorf("%q, %v; want %q", out, err, want)
	}
}
