package images

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tiny creates a Mix project without dependencies, and keeps locks out of the user's
// cache.
func tiny(t *testing.T) Source {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := filepath.Join(t.TempDir(), "tiny")
	write(t, dir, map[string]string{"mix.exs": mixExs, "lib/tiny.ex": "defmodule Tiny do\nend\n"})
	return Source{Kind: Mix, Dir: dir}
}

func resolved(t *testing.T, eng Engine, src Source, o Options) Image {
	t.Helper()
	image, err := Resolve(t.Context(), eng, src, o)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestUnchangedInputIsNotBuiltAgain(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	first := resolved(t, eng, src, Options{})
	second := resolved(t, eng, src, Options{})
	if !first.Built || second.Built || len(eng.builds) != 1 {
		t.Errorf("built %t, then %t, in %d builds; want one", first.Built, second.Built, len(eng.builds))
	}
	if second.Built = true; cmp.Diff(first, second) != "" {
		t.Error(cmp.Diff(first, second))
	}
	if first.App != "tiny" || !strings.HasPrefix(first.Ref, "beamyard/tiny:") || first.Kind != Mix {
		t.Errorf("got %+v", first)
	}
	if !eng.builds[0].NoNetwork {
		t.Error("a project without dependencies was built with a network")
	}
	want := []string{"lib/", "lib/tiny.ex", "mix.exs"}
	if diff := cmp.Diff(want, eng.contexts[0]); diff != "" {
		t.Error(diff)
	}
}

func TestEachInputChangesTheTag(t *testing.T) {
	dockerfile := func(t *testing.T, src *Source) {
		write(t, src.Dir, map[string]string{"Dockerfile": "ARG MIX_ENV\nFROM alpine AS a\nFROM a\n"})
		src.Kind = Dockerfile
	}
	tests := []struct {
		name   string
		before func(t *testing.T, src *Source)
		change func(t *testing.T, eng *fakeEngine, src Source, o *Options)
	}{
		{name: "a file's text", change: func(t *testing.T, _ *fakeEngine, src Source, _ *Options) {
			write(t, src.Dir, map[string]string{"lib/tiny.ex": "defmodule Tiny do\n\nend\n"})
		}},
		{name: "a file's mode", change: func(t *testing.T, _ *fakeEngine, src Source, _ *Options) {
			must(t, os.Chmod(filepath.Join(src.Dir, "lib/tiny.ex"), 0o755))
		}},
		{name: "a new empty folder", change: func(t *testing.T, _ *fakeEngine, src Source, _ *Options) {
			must(t, os.Mkdir(filepath.Join(src.Dir, "priv"), 0o755))
		}},
		{name: "the base's ID", change: func(_ *testing.T, eng *fakeEngine, _ Source, _ *Options) {
			eng.images["beamyard/debian:trixie"] = Info{ID: idOf("newer")}
		}},
		{name: "the base", change: func(_ *testing.T, _ *fakeEngine, _ Source, o *Options) { o.Base = "bookworm" }},
		{name: "MIX_ENV", change: func(_ *testing.T, _ *fakeEngine, _ Source, o *Options) { o.MixEnv = "prod" }},
		{name: "a release", change: func(_ *testing.T, _ *fakeEngine, _ Source, o *Options) { o.Release = true }},
		{name: "a variable", change: func(_ *testing.T, _ *fakeEngine, _ Source, o *Options) { o.Env = map[string]string{"A": "1"} }},
		{name: "a variable's value", before: func(_ *testing.T, _ *Source) {}, change: func(_ *testing.T, _ *fakeEngine, _ Source, o *Options) {
			o.Env = map[string]string{"ALWAYS": "2"}
		}},
		{name: "a package that it runs with", change: func(_ *testing.T, eng *fakeEngine, _ Source, o *Options) {
			o.Packages.Run = []string{"tzdata"}
			src := Source{Kind: Debian, Suite: "trixie", More: []string{"tzdata"}}
			eng.images[debianRef(src)] = Info{ID: idOf("with tzdata")}
		}},
		{name: "MIX_ENV of a Dockerfile", before: dockerfile, change: func(_ *testing.T, _ *fakeEngine, _ Source, o *Options) { o.MixEnv = "prod" }},
		{name: "a Dockerfile", before: dockerfile, change: func(t *testing.T, _ *fakeEngine, src Source, _ *Options) {
			write(t, src.Dir, map[string]string{"Dockerfile": "FROM alpine\n"})
		}},
		{name: "a Dockerfile's base", before: dockerfile, change: func(_ *testing.T, eng *fakeEngine, _ Source, _ *Options) {
			eng.images["alpine"] = Info{ID: idOf("newer")}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eng, src, o := engineWith("beamyard/debian:trixie", "beamyard/debian:bookworm", "alpine"), tiny(t), Options{Env: map[string]string{"ALWAYS": "1"}}
			if tt.before != nil {
				tt.before(t, &src)
			}
			before := resolved(t, eng, src, o)
			tt.change(t, eng, src, &o)
			after := resolved(t, eng, src, o)
			if before.Ref == after.Ref || !after.Built {
				t.Errorf("%s, then %s (built: %t)", before.Ref, after.Ref, after.Built)
			}
		})
	}
}

func TestAutoBase(t *testing.T) {
	official, debian := Info{ID: idOf("official")}, "beamyard/debian:trixie"
	tests := []struct {
		name   string
		eng    func() *fakeEngine
		script string // runs of mmdebstrap
		want   string // the base in FROM
		pulls  int
		made   int
	}{
		{name: "the official image where it is", eng: func() *fakeEngine { return engineWith(officialBase, debian) }, want: officialBase},
		{name: "the root file system that was made before, even where a registry answers", eng: func() *fakeEngine {
			e := engineWith(debian)
			e.registry = map[string]Info{officialBase: official}
			return e
		}, want: debian},
		{name: "a pull", eng: func() *fakeEngine {
			e := engineWith()
			e.registry = map[string]Info{officialBase: official}
			return e
		}, want: officialBase, pulls: 1},
		{name: "Debian where no registry answers", eng: func() *fakeEngine { return engineWith() }, script: "echo rootfs", want: debian, pulls: 1, made: 1},
		{name: "Debian where the registry has no such image", eng: func() *fakeEngine {
			e := engineWith()
			e.noPull = ErrNotFound
			return e
		}, script: "echo rootfs", want: debian, pulls: 1, made: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src, eng := tiny(t), tt.eng()
			fakeMmdebstrap(t, tt.script)
			var out bytes.Buffer
			resolved(t, eng, src, Options{Progress: &out, Base: "auto"})
			if len(eng.pulls) != tt.pulls || len(eng.imports) != tt.made {
				t.Errorf("%d pulls and %d imports, want %d and %d:\n%s", len(eng.pulls), len(eng.imports), tt.pulls, tt.made, &out)
			}
			image := eng.images[tt.want]
			again := resolved(t, eng, src, Options{Base: tt.want})
			if image.ID == "" || again.Built {
				t.Errorf("was not built on %s:\n%s", tt.want, &out)
			}
		})
	}
}

func TestBase(t *testing.T) {
	src := tiny(t)
	for _, base := range []string{"beamyard/own:1", "bookworm"} {
		eng := engineWith("beamyard/own:1", "beamyard/debian:bookworm")
		if resolved(t, eng, src, Options{Base: base}); len(eng.pulls)+len(eng.imports) != 0 || len(eng.builds) != 1 {
			t.Errorf("%s: %d pulls, %d imports, %d builds", base, len(eng.pulls), len(eng.imports), len(eng.builds))
		}
	}
	for _, o := range []Options{{Base: "No Base"}, {MixEnv: "dev && true"}} {
		_, err := Resolve(t.Context(), engineWith(), src, o)
		var source *SourceError
		if !errors.As(err, &source) || len(source.Hint()) == 0 {
			t.Errorf("%+v: got %v, want a SourceError with a hint", o, err)
		}
	}
}

func TestReference(t *testing.T) {
	ref := Source{Kind: Reference, Ref: "repo/app:1"}
	t.Run("here", func(t *testing.T) {
		got := resolved(t, engineWith("repo/app:1"), ref, Options{})
		if diff := cmp.Diff(Image{ID: idOf("repo/app:1"), Ref: "repo/app:1"}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("pulled", func(t *testing.T) {
		eng := engineWith()
		eng.registry = map[string]Info{"repo/app:1": {ID: "sha256:1"}}
		if got := resolved(t, eng, ref, Options{}); !got.Built || got.ID != "sha256:1" {
			t.Errorf("got %+v", got)
		}
	})
	broken := errors.New("toomanyrequests: you have reached your pull rate limit")
	for says, class := range map[string]error{
		"no registry answers":     ErrNoRegistry,
		"cannot be pulled":        ErrNotFound,
		"toomanyrequests: you ha": broken,
	} {
		t.Run(says, func(t *testing.T) {
			eng := engineWith()
			eng.noPull = class
			_, err := Resolve(t.Context(), eng, ref, Options{})
			var none *NoImageError
			if !errors.As(err, &none) || !errors.Is(err, class) || !strings.Contains(err.Error(), says) || len(none.Hint()) == 0 {
				t.Errorf("got %v, want a NoImageError that says %q", err, says)
			}
		})
	}
}

// A registry that drops packets must not delay `up` for minutes.
func TestSilentRegistryIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := engineWith()
		eng.noPull = errSilence
		begin := time.Now()
		var out bytes.Buffer
		_, err := Resolve(t.Context(), eng, Source{Kind: Reference, Ref: "repo/app:1"}, Options{Progress: &out})
		if !errors.Is(err, ErrNoRegistry) || time.Since(begin) != answerWithin {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
		if !strings.Contains(out.String(), "pulling repo/app:1") {
			t.Errorf("does not say what it tries: %q", &out)
		}
	})
}

// A pull that has begun may take any time.
func TestSlowPullIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := engineWith()
		eng.registry = map[string]Info{"repo/app:1": {ID: "sha256:1"}}
		eng.pulling = func() { time.Sleep(10 * answerWithin) }
		resolved(t, eng, Source{Kind: Reference, Ref: "repo/app:1"}, Options{})
	})
}

func TestCancelledWhilePulling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := engineWith()
		eng.noPull = errSilence
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := Resolve(ctx, eng, Source{Kind: Reference, Ref: "repo/app:1"}, Options{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestConcurrentResolveBuildsOnce(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	inBuild, goOn := make(chan struct{}, 2), make(chan struct{})
	eng.building = func(context.Context, io.Writer) error {
		inBuild <- struct{}{}
		<-goOn
		return nil
	}
	var group sync.WaitGroup
	var got [2]Image
	var errs [2]error
	for i := range got {
		group.Go(func() { got[i], errs[i] = Resolve(t.Context(), eng, src, Options{}) })
	}
	<-inBuild
	// A third caller cancels while the first one builds.
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := Resolve(ctx, eng, src, Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the cancelled caller got %v", err)
	}
	close(goOn)
	group.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	if len(eng.builds) != 1 || got[0].ID != got[1].ID || got[0].Built == got[1].Built {
		t.Errorf("%d builds: %+v", len(eng.builds), got)
	}
}

func TestCancelledBuild(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	ctx, cancel := context.WithCancel(t.Context())
	eng.building = func(ctx context.Context, out io.Writer) error {
		_, _ = io.WriteString(out, "Step 1/1 : RUN mix compile\n")
		cancel()
		return ctx.Err()
	}
	image, err := Resolve(ctx, eng, src, Options{})
	var failed *BuildError
	if !errors.Is(err, context.Canceled) || errors.As(err, &failed) || image != (Image{}) {
		t.Errorf("got %+v, %v; want the context's error alone", image, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
