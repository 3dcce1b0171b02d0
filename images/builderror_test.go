package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// testdata/build has what an engine (20.10, classic builder) printed during real builds
// that failed.
func TestBuildErrors(t *testing.T) {
	const compile = "The command '/bin/sh -c mix compile' returned a non-zero code: 1"
	const deps = "The command '/bin/sh -c mix local.hex --force && mix deps.get' returned a non-zero code: 1"
	tests := []struct {
		recorded, err     string
		first, last, hint string
	}{
		{"compile-error-1.18", compile, "Compiling 1 file (.ex)", "** (CompileError) lib/broken.ex: cannot compile module Broken (errors have been logged)", "mix compile"},
		{"compile-error-1.14", compile, "Compiling 1 file (.ex)", "** (CompileError) lib/broken.ex:2: undefined function missing/1 (expected Broken to define such a function or for it to be imported, but none are available)", "fix what the compiler reports"},
		{"syntax-error-1.18", compile, "Compiling 1 file (.ex)", "    (elixir 1.18.3) lib/kernel/parallel_compiler.ex:428: anonymous fn/5 in Kernel.ParallelCompiler.spawn_workers/8", "fix what the compiler reports"},
		{"elixir-version", compile, "** (Mix) You're trying to run :broken on Elixir v1.18.3 but it has declared in its mix.exs file it supports only Elixir ~> 1.99", "", "--base bookworm (1.14)"},
		{"no-hex", deps, "** (Mix) httpc request failed with: {:failed_connect, [{:to_address, {~c\"builds.hex.example\", 443}}, {:inet6, [:inet6], :nxdomain}]}", "    $ mix archive.install github hexpm/hex branch latest", "need Hex"},
		{"no-space", compile, "dd: error writing '/dev/full': No space left on device", "0 bytes copied, 2.7181e-05 s, 0.0 kB/s", "docker system df"},
		{"no-elixir", compile, "/bin/sh: 1: mix: not found", "", "no Elixir: --base trixie"},
		{"needs-buildkit", "the --mount option requires BuildKit", "", "", "docker build -t"},
	}
	for _, tt := range tests {
		t.Run(tt.recorded, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata/build", tt.recorded+".txt"))
			must(t, err)
			eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
			src.Kind = Dockerfile
			write(t, src.Dir, map[string]string{"Dockerfile": "FROM beamyard/debian:trixie\n"})
			failed := errors.New(tt.err)
			eng.building = func(_ context.Context, out io.Writer) error {
				// The output arrives in pieces: an end of line may be in the next one.
				for piece := range slices.Chunk(text, 7) {
					if _, err := out.Write(piece); err != nil {
						return err
					}
				}
				return failed
			}
			var out strings.Builder
			_, err = Resolve(t.Context(), eng, src, Options{Progress: &out})
			var got *BuildError
			if !errors.As(err, &got) || !errors.Is(err, failed) || got.Dir != src.Dir {
				t.Fatalf("got %v, want a BuildError", err)
			}
			if out.String() != string(text) {
				t.Error("the caller did not get the whole output")
			}
			if lines := append([]string{""}, got.Lines...); tt.first != "" {
				last := tt.last
				if last == "" {
					last = tt.first
				}
				if lines[1] != tt.first || lines[len(lines)-1] != last {
					t.Errorf("lines:\n%s", strings.Join(got.Lines, "\n"))
				}
			}
			if strings.Contains(err.Error(), "\x1b") || strings.Contains(err.Error(), "intermediate container") {
				t.Errorf("shows output of the engine itself: %q", err)
			}
			if !strings.Contains(got.Hint().String(), tt.hint) {
				t.Errorf("hint %q, want %q", got.Hint(), tt.hint)
			}
			if len(eng.images) != 1 {
				t.Error("a build that failed left an image")
			}
		})
	}
}

// If no step has begun, there is no output of a compiler to quote.
func TestEngineFailsBeforeTheFirstStep(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	gone := errors.New("cannot connect to the engine")
	eng.building = func(context.Context, io.Writer) error { return gone }
	_, err := Resolve(t.Context(), eng, src, Options{})
	var failed *BuildError
	if !errors.Is(err, gone) || errors.As(err, &failed) {
		t.Errorf("got %v", err)
	}
}

func TestOnlyTheFailingStepIsShown(t *testing.T) {
	out := &step{w: io.Discard}
	fmt.Fprint(out, "Step 1/2 : RUN mix deps.compile\nwarning: old\nStep 2/2 : RUN mix compile\nbroken")
	var got *BuildError
	if !errors.As(newBuildError(Source{Kind: Mix, Dir: "."}, out, errors.New("x")), &got) {
		t.Fatal("not a BuildError")
	}
	if !slices.Equal(got.Lines, []string{"broken"}) {
		t.Errorf("shows %q", got.Lines)
	}
}

func TestLongOutputIsBounded(t *testing.T) {
	out := &step{w: io.Discard}
	for i := range 10_000 {
		if i == 10 {
			fmt.Fprint(out, "Step 2/3 : RUN mix compile\n")
		}
		fmt.Fprintf(out, "line %d\n", i)
	}
	if len(out.lines) > 3*keptLines {
		t.Errorf("%d lines are kept", len(out.lines))
	}
	var got *BuildError
	if !errors.As(newBuildError(Source{Kind: Mix, Dir: "."}, out, errors.New("x")), &got) {
		t.Fatal("not a BuildError")
	}
	if len(got.Lines) != shownLines || got.Lines[shownLines-1] != "line 9999" {
		t.Errorf("shows %d lines: %q", len(got.Lines), got.Lines)
	}
}
