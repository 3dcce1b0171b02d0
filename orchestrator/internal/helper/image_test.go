package helper

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// store is an engine that has the images that were imported.
type store struct {
	images.Engine // only what is below

	files map[string]map[string][]byte // ref → name → content
}

func (s *store) Image(_ context.Context, ref string) (images.Info, error) {
	if s.files[ref] == nil {
		return images.Info{}, images.ErrNotFound
	}
	return images.Info{}, nil
}

func (s *store) Import(_ context.Context, rootfs io.Reader, imp images.Import) (string, error) {
	files := map[string][]byte{}
	for r := tar.NewReader(rootfs); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			s.files[imp.Ref] = files
			return imp.Ref, nil
		}
		if err != nil {
			return "", err
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			return "", err
		}
	}
}

// Each program has an image of its own, which is made once, and the program runs there. One that
// tells no build ID is told apart by its content.
func TestImage(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("it makes images of Linux executables")
	}
	dir := t.TempDir()
	build := func(name string, flags ...string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		cmd := exec.CommandContext(t.Context(), "go", append(append([]string{"build", "-buildvcs=false", "-o", path}, flags...), "../../enginetest/process")...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=") // as make builds beamyard
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return path
	}
	paths := []string{
		build("one"), build("another", "-ldflags=-s -w"),
		build("anonymous", "-ldflags=-buildid="), build("anonymous too", "-ldflags=-buildid= -X main.version=2 -s"),
	}
	eng := &store{files: map[string]map[string][]byte{}}
	info := orchestrator.EngineInfo{OS: "linux", Arch: runtime.GOARCH}
	for _, path := range paths {
		before := len(eng.files)
		ref, err := Image(t.Context(), eng, info, path)
		if err != nil || len(eng.files) != before+1 {
			t.Fatalf("%s: want an image of its own, got %s, %v", path, ref, err)
		}
		program := filepath.Join(dir, "program")
		if err := os.WriteFile(program, eng.files[ref]["beamyard"], 0o700); err != nil { // it is to be executed
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), program, "print", "1").Output(); err != nil || string(out) != "stdout 1\n" {
			t.Errorf("%s: %v: %s", path, err, out)
		}
		if again, err := Image(t.Context(), eng, info, path); err != nil || again != ref || len(eng.files) != before+1 {
			t.Errorf("%s: want %s once more, got %s, %v", path, ref, again, err)
		}
	}
	for name, content := range map[string]string{"no program": "#!/bin/sh\n", "empty": ""} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Image(t.Context(), eng, info, path); !errors.Is(err, ErrUnsuitable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := info
	other.Arch = "s390x"
	if _, err := Image(t.Context(), eng, other, paths[0]); !errors.Is(err, ErrUnsuitable) || !strings.Contains(err.Error(), "s390x") {
		t.Errorf("want that it is for another machine, got %v", err)
	}
}

// An archive is what archive/tar reads, whatever the sizes.
func TestArchive(t *testing.T) {
	t.Parallel()
	var files []file
	for _, size := range []int{0, 1, 511, 512, 513, 4096} {
		files = append(files, file{strings.Repeat("n", size%150+1), bytes.NewReader(bytes.Repeat([]byte{'x'}, size)), int64(size), 0o644})
	}
	r, err := archive(files...)
	if err != nil {
		t.Fatal(err)
	}
	in := tar.NewReader(r)
	for _, f := range files {
		header, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil || header.Name != f.name || int64(len(data)) != f.size || header.Mode != f.mode {
			t.Errorf("want %s of %d bytes, got %s of %d, %v", f.name, f.size, header.Name, len(data), err)
		}
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("want the end, got %v", err)
	}
}
