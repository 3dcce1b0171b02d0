package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/google/go-cmp/cmp"
)

// story is a cluster that starts, with a build, a note and a mesh event.
func story(p progress, now func() time.Time, wait func(time.Duration)) {
	event := func(kind orchestrator.EventKind, node string, state orchestrator.State, text string) {
		p.event(orchestrator.Event{Time: now(), Kind: kind, Node: node, State: state, Text: text})
	}
	event(orchestrator.EventPhase, "", "", "preparing the image")
	wait(250 * time.Millisecond)
	fmt.Fprint(p, "Compiling 3 fi")
	fmt.Fprint(p, "les\nGenerated demo app\n")
	event(orchestrator.EventPhase, "", "", "starting 2 nodes")
	event(orchestrator.EventState, "n1", orchestrator.Creating, "n1 creating")
	event(orchestrator.EventState, "n10", orchestrator.Creating, "n10 creating")
	wait(500 * time.Millisecond)
	event(orchestrator.EventState, "n1", orchestrator.Ready, "n1 ready")
	event(orchestrator.EventMesh, "n1", "", "n1 met n10")
	event(orchestrator.EventNote, "n10", "", "n10 has another port")
	wait(250 * time.Millisecond)
	event(orchestrator.EventState, "n10", orchestrator.Ready, "n10 ready")
	event(orchestrator.EventPhase, "", "", "ready: 2 nodes")
	p.close()
	event(orchestrator.EventNote, "", "", "too late")
}

// play plays the story in a synctest bubble.
func play(t *testing.T, make func(out *output) progress) string {
	t.Helper()
	var b bytes.Buffer
	synctest.Test(t, func(*testing.T) {
		story(make(newOutput(&b)), time.Now, func(d time.Duration) {
			time.Sleep(d + time.Millisecond) // after the ticks of this instant
			synctest.Wait()
		})
	})
	return b.String()
}

func TestPlainProgress(t *testing.T) {
	got := play(t, func(out *output) progress { return newProgress("auto", out, time.Now) })
	want := `   0.0s  preparing the image
Compiling 3 files
Generated demo app
   0.3s  starting 2 nodes
   0.3s  n1 creating
   0.3s  n10 creating
   0.8s  n1 ready
   0.8s  n10 has another port
   1.0s  n10 ready
   1.0s  ready: 2 nodes
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestJSONProgress(t *testing.T) {
	got := play(t, func(out *output) progress { return newProgress("json", out, time.Now) })
	want := `{"seq":0,"time":"2000-01-01T00:00:00Z","kind":"phase","text":"preparing the image"}
{"seq":0,"time":"2000-01-01T00:00:00.251Z","kind":"build","text":"Compiling 3 files"}
`
	if !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 11 || strings.Contains(got, "too late") {
		t.Errorf("got\n%s", got)
	}
}

func TestLiveProgress(t *testing.T) {
	got := play(t, func(out *output) progress { return newProgress("tty", out, time.Now) })
	if diff := cmp.Diff(strings.Join([]string{
		"Compiling 3 files",
		"Generated demo app",
		"✓ preparing the image                             0.3s",
		"  n10 has another port",
		"✓ starting 2 nodes                                0.8s",
		"✓ ready: 2 nodes                                  0.0s",
		"  ✓ n1   ready                                    0.5s",
		"  ✓ n10  ready                                    0.8s",
		"",
	}, "\n"), screen(t, got)); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(got, hideCursor) || !strings.HasSuffix(got, showCursor) {
		t.Errorf("the cursor is not restored: %q", got)
	}
	if moving := "… n10  creating                                 0.3s"; !strings.Contains(got, moving) {
		t.Errorf("the timer of n10 did not show %q", moving)
	}
}

// screen plays output on a terminal that knows only the codes that are used, and returns
// what is visible at the end.
func screen(t *testing.T, text string) string {
	t.Helper()
	rows, at := []string{""}, 0
	for len(text) > 0 {
		if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
			end := strings.IndexAny(rest, "AhlJKm")
			arg, code := rest[:end], rest[end]
			text = rest[end+1:]
			switch code {
			case 'A':
				n := 0
				fmt.Sscan(arg, &n)
				if at -= n; at < 0 {
					t.Fatal("moved above the screen")
				}
			case 'J':
				rows = append(rows[:at], "")
			case 'K', 'h', 'l', 'm': // rows are written whole; the cursor and colours are not shown here
			}
			continue
		}
		if text[0] == '\r' {
			text = text[1:]
			continue
		}
		line, rest, _ := strings.Cut(text, "\n")
		line, codes, _ := strings.Cut(line, "\x1b[K")
		if codes != "" {
			t.Fatalf("text after the end of a line: %q", codes)
		}
		rows[at] = line
		if at++; at == len(rows) {
			rows = append(rows, "")
		}
		text = rest
	}
	return strings.Join(rows, "\n")
}

func TestBoardFitsTheTerminal(t *testing.T) {
	var b display
	b.apply(orchestrator.Event{Kind: orchestrator.EventPhase, Text: "starting 5 nodes", Time: noon})
	for _, n := range orchestrator.NodeNames(5) {
		b.apply(orchestrator.Event{Kind: orchestrator.EventState, Node: n.Name, State: orchestrator.Starting, Time: noon})
	}
	got := b.lines(noon.Add(time.Second), false, 20, 4, func(string) string { return "" })
	want := []string{"… starting 5 nodes  ", "  … n1  starting    ", "  … n2  starting    ", "    … and 3 nodes more"}
	for i := range want[:3] {
		want[i] = strings.TrimSuffix(want[i], " ") + "…"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
