package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/google/go-cmp/cmp"
)

// Text of others reaches a terminal only as text: in our messages, in a failure, in an
// event and in a table.
func TestForeignTextIsOnlyText(t *testing.T) {
	const evil = "a\x1b[2J\x1b]0;t\x07b"
	const shown = `a\x1b[2J\x1b]0;t\x07b`
	var out, err bytes.Buffer
	a := testApp(newOutput(&out), newOutput(&err), time.Now())
	a.say("%s %v", evil, errors.New(evil))
	a.fail(context.Background(), orchestrator.WithHint(errors.New(evil), "%s", evil))
	p := newProgress("plain", a.err, time.Now)
	p.event(orchestrator.Event{Time: time.Now(), Kind: orchestrator.EventNote, Text: evil})
	if e := writeTable(a.out, a.out.color, [][]cell{{{evil, ""}, {"x", ""}}}); e != nil {
		t.Fatal(e)
	}
	text := out.String() + err.String()
	if strings.ContainsAny(text, "\x1b\a") {
		t.Errorf("a control character: %q", text)
	}
	if n := strings.Count(text, shown); n != 6 {
		t.Errorf("shown escaped %d times, want 6:\n%s", n, text)
	}
}

// building returns the output of a classic build, as the engine sends it.
const building = "pulling alpine\n" +
	"Step 1/4 : FROM alpine\n ---> 0123456789ab\n" +
	"Step 2/4 : WORKDIR /app\n ---> Using cache\n ---> 0123456789ac\n" +
	"Step 3/4 : RUN mix deps.get\n ---> Running in 0123456789ad\n\x1b[91mwarning: old\x1b[0mGetting dep\n"

func TestBuildSteps(t *testing.T) {
	start := time.Unix(0, 0)
	now := start
	show := func(mode string) (p progress, write func(string, time.Duration), got func() string) {
		var b bytes.Buffer
		now = start
		p = newProgress(mode, newOutput(&b), func() time.Time { return now })
		return p, func(text string, took time.Duration) {
			for _, part := range []string{text[:len(text)/2], text[len(text)/2:]} {
				if _, err := p.Write([]byte(part)); err != nil {
					t.Fatal(err)
				}
			}
			now = now.Add(took)
		}, b.String
	}

	t.Run("summary", func(t *testing.T) {
		p, write, got := show("auto")
		write(building, 1200*time.Millisecond)
		write("Step 4/4 : RUN "+strings.Repeat("x", 200)+"\n ---> Running in 0123456789ad\n", 3*time.Second)
		write("Successfully built 0123456789ae\nSuccessfully tagged shop:1\nshop holds a mix release\n", 0)
		p.close()
		want := "pulling alpine\n" +
			"   1.2s  step 3/4: RUN mix deps.get (1.2s)\n" +
			"   4.2s  step 4/4: RUN " + strings.Repeat("x", 75) + "… (3.0s)\n" +
			"shop holds a mix release\n"
		if diff := cmp.Diff(want, got()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the whole when it fails", func(t *testing.T) {
		p, write, got := show("auto")
		write(building+"** (Mix) no", time.Second)
		p.buildFailed(errors.New("the engine is gone"))
		p.close()
		want := "pulling alpine\n" + uncolouredLines(strings.TrimPrefix(building, "pulling alpine\n")) + "** (Mix) no\n"
		if diff := cmp.Diff(want, got()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("what its error repeats is left to it", func(t *testing.T) {
		p, write, got := show("auto")
		write("Step 1/1 : RUN mix compile\n ---> Running in 0123456789ad\nCompiling 3 files\nwarning: old\n\n\x1b[91merror: no x\n\x1b[0m\n== Compilation error\n", time.Second)
		p.buildFailed(fmt.Errorf("up: %w", &images.BuildError{Lines: []string{"error: no x", "== Compilation error"}}))
		p.close()
		want := "Step 1/1 : RUN mix compile\n ---> Running in 0123456789ad\nCompiling 3 files\nwarning: old\n\n"
		if diff := cmp.Diff(want, got()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the whole when it is asked for", func(t *testing.T) {
		p, write, got := show("plain")
		write(building, time.Second)
		p.close()
		if diff := cmp.Diff(uncolouredLines(building), got()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a step of ours, ended by what follows", func(t *testing.T) {
		p, write, got := show("auto")
		write("Step 1/1 : RUN mix compile\nCompiling 3 files\n", 2*time.Second)
		p.event(orchestrator.Event{Time: now, Kind: orchestrator.EventPhase, Text: "starting 2 nodes"})
		p.close()
		want := "   2.0s  step 1/1: RUN mix compile (2.0s)\n   2.0s  starting 2 nodes\n"
		if diff := cmp.Diff(want, got()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a step of ours, ended by the next image", func(t *testing.T) {
		p, write, got := show("auto")
		write("image 1 of 2, for n1\nStep 1/1 : RUN mix compile\nCompiling 3 files\n", 2*time.Second)
		write("image 2 of 2, for web, target web\n", 0)
		p.close()
		want := "image 1 of 2, for n1\n   2.0s  step 1/1: RUN mix compile (2.0s)\nimage 2 of 2, for web, target web\n"
		if diff := cmp.Diff(want, got()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("on a terminal", func(t *testing.T) {
		p, write, got := show("tty")
		write(building, 0)
		p.buildFailed(nil)
		p.close()
		if text := got(); !strings.Contains(text, "warning: oldGetting dep\n") || strings.Contains(text, "\x1b[91m") {
			t.Errorf("%q", text)
		}
	})
}

func uncolouredLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(uncoloured(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return b.String()
}
