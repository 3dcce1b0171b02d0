package logs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
)

func brief(lines []orchestrator.Line) []string {
	var texts []string
	for _, l := range lines {
		texts = append(texts, fmt.Sprintf("%s/%d %s %d %s", l.Node, l.Run, l.Stream, l.Seq, l.Text))
	}
	return texts
}

// twoRuns returns an output whose lines arrived in another order than they were printed.
func twoRuns() *Output {
	out := newOutput("n1", 10)
	out.Append(orchestrator.Stderr, 1, at(1.000002), "b", false)
	out.Append(orchestrator.Stdout, 1, at(1.000001), "a", false)
	out.Append(orchestrator.Stdout, 1, at(1.000002), "c", false) // at the same time as b, but later
	out.Mark(2, at(2), "── n1 restarted ──")
	out.Append(orchestrator.Stdout, 1, at(2.1), "of run 1, drained late", false)
	out.Append(orchestrator.Stdout, 2, at(2.05), "d", false)
	out.Append(orchestrator.Stderr, 2, at(3), "e", true)
	return out
}

func TestOutputIsMergedByRunTimeAndArrival(t *testing.T) {
	all := []string{
		"n1/1 stdout 1 a", "n1/1 stderr 1 b", "n1/1 stdout 2 c", "n1/1 stdout 3 of run 1, drained late",
		"n1/2 system 1 ── n1 restarted ──", "n1/2 stdout 4 d", "n1/2 stderr 2 e",
	}
	for _, tt := range []struct {
		name string
		q    orchestrator.LogQuery
		want []string
	}{
		{"all", orchestrator.LogQuery{}, all},
		{"tail", orchestrator.LogQuery{Tail: 3}, all[4:]},
		{"a long tail", orchestrator.LogQuery{Tail: 99}, all},
		{"none", orchestrator.LogQuery{Tail: -1}, nil},
		{"stderr", orchestrator.LogQuery{Stream: orchestrator.Stderr}, []string{all[1], all[6]}},
		{"tail of stdout", orchestrator.LogQuery{Stream: orchestrator.Stdout, Tail: 2}, []string{all[3], all[5]}},
		{"since", orchestrator.LogQuery{Since: at(2.05)}, []string{all[3], all[5], all[6]}},
		{"tail since", orchestrator.LogQuery{Since: at(2.05), Tail: 2}, []string{all[5], all[6]}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []orchestrator.Line
			err := twoRuns().Read(t.Context(), tt.q, func(l orchestrator.Line) error { got = append(got, l); return nil })
			if diff := cmp.Diff(tt.want, brief(got)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
	want := orchestrator.Line{Node: "n1", Stream: orchestrator.Stderr, Seq: 2, Run: 2, Time: at(3), Text: "e", Cut: true}
	if diff := cmp.Diff([]orchestrator.Line{want}, twoRuns().Tail(1)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNodesAreMergedByTime(t *testing.T) {
	a, b := newOutput("a", 10), newOutput("b", 10)
	for i := range 3 {
		a.Append(orchestrator.Stdout, 1, at(float64(2*i)), "x", false)
		b.Append(orchestrator.Stderr, 7, at(float64(2*i+1)), "y", false)
	}
	var got []orchestrator.Line
	q := orchestrator.LogQuery{Tail: 2} // of each node
	if err := Read(t.Context(), []*Output{b, a}, q, func(l orchestrator.Line) error { got = append(got, l); return nil }); err != nil {
		t.Fatal(err)
	}
	want := []string{"a/1 stdout 2 x", "b/7 stderr 2 y", "a/1 stdout 3 x", "b/7 stderr 3 y"}
	if diff := cmp.Diff(want, brief(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A secret that the VM prints as bytes is masked like any other.
func TestAnExcerptShowsNoSecretAsBytes(t *testing.T) {
	out := newOutput("n1", 10)
	out.Append(orchestrator.Stderr, 1, at(1), `Runtime terminating during boot ({#{'__exception__'=>true,'__struct__'=>'Elixir.RuntimeError',message=><<104,117,110,116,101,114,50,10>>},[{elixir_eval,'__FILE__',1,[{file,"/app/runtime.exs"},{line,10}]}]})`, false)
	masked := func(text string) string { return strings.ReplaceAll(text, "hunter2", "***") }
	got, want := strings.Join(out.Excerpt(20, masked), "\n"), "stderr: Runtime terminating during boot (** (RuntimeError) ***, in runtime.exs:10)"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := "stderr: "+masked(ExitLine(out.Tail(50), 1, "")), want; got != want {
		t.Errorf("the line that tells the end: %q, want %q", got, want)
	}
}

// An excerpt says why something failed, and not how a node ended when it was asked to.
func TestAnExcerptEndsWhereTheStopBegins(t *testing.T) {
	out := newOutput("n1", 10)
	say := func(run int, text string) { out.Append(orchestrator.Stdout, run, time.Unix(1, 0), text, false) }
	say(Uncounted, "an old run")
	if got := strings.Join(out.Excerpt(9, nil), ", "); got != "stdout: an old run" {
		t.Errorf("without a stop: %s", got)
	}
	say(1, "no database")
	out.Stopping(1)
	say(1, "SIGTERM received")
	out.Stopping(1)
	if got := strings.Join(out.Excerpt(9, nil), ", "); got != "stdout: an old run, stdout: no database" {
		t.Errorf("after the stop: %s", got)
	}
	say(2, "no database again")
	if got := strings.Join(out.Excerpt(9, nil), ", "); got != "stdout: an old run, stdout: no database, stdout: no database again" {
		t.Errorf("in the next run: %s", got)
	}
	if got := strings.Join(out.ExcerptOfRun(9, nil), ", "); got != "stdout: no database again" {
		t.Errorf("of the last run: %s", got)
	}
	if got := len(out.Tail(0)); got != 4 {
		t.Errorf("the output itself has %d lines, want 4", got)
	}
}

func TestExcerptBeginsWithStderr(t *testing.T) {
	for _, tt := range []struct {
		stdout, stderr, n int
		want              string
	}{
		{0, 0, 4, ""},
		{9, 0, 4, "o6 o7 o8 o9"},
		{0, 9, 4, "e6 e7 e8 e9"},
		{9, 9, 4, "e8 e9 o8 o9"},
		{9, 1, 4, "e1 o7 o8 o9"},
		{1, 9, 4, "e7 e8 e9 o1"},
		{9, 9, 0, ""},
		{9, 9, -1, ""},
	} {
		out := newOutput("n1", 10)
		for i := range tt.stderr {
			out.Append(orchestrator.Stderr, 1, at(1), fmt.Sprintf("e%d", i+1), false)
		}
		out.Mark(1, at(1), "not printed by the node")
		for i := range tt.stdout {
			out.Append(orchestrator.Stdout, 1, at(2), fmt.Sprintf("o%d", i+1), false)
		}
		got := strings.Join(out.Excerpt(tt.n, nil), " ")
		got = strings.NewReplacer("stderr: e", "e", "stdout: o", "o").Replace(got)
		if got != tt.want {
			t.Errorf("%d of %d+%d: %q, want %q", tt.n, tt.stdout, tt.stderr, got, tt.want)
		}
	}
	out := newOutput("n1", 10)
	out.Append(orchestrator.Stdout, 1, at(1), strings.Repeat("x", maxLine), false)
	if got := out.Excerpt(1, nil)[0]; len(got) > maxExcerpt+20 {
		t.Errorf("a line of %d bytes in an excerpt", len(got))
	}
}

// slowReader follows an output and waits at a gate before each line.
type slowReader struct {
	out  *Output
	gate chan struct{}
	seqs []uint64
	gap  orchestrator.Line
	err  error
	done chan struct{}
}

func startSlowReader(ctx context.Context, out *Output, q orchestrator.LogQuery) *slowReader {
	r := &slowReader{out: out, gate: make(chan struct{}), done: make(chan struct{})}
	q.Follow = true
	go func() {
		defer close(r.done)
		r.err = out.Read(ctx, q, func(l orchestrator.Line) error {
			<-r.gate
			r.seqs = append(r.seqs, l.Seq)
			if l.Dropped > 0 {
				r.gap = l
			}
			return nil
		})
	}()
	return r
}

func TestFollowerGetsEveryLineAfterItsSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := newOutput("n1", 10)
		var printed []uint64
		say := func(n int) {
			for range n {
				printed = append(printed, uint64(len(printed)+1))
				out.Append(orchestrator.Stdout, 1, at(float64(len(printed))), "x", false)
			}
		}
		say(10)
		r := startSlowReader(t.Context(), out, orchestrator.LogQuery{Tail: 3})
		synctest.Wait() // it is at the first line of its snapshot
		say(5)
		close(r.gate)
		for range 20 {
			synctest.Wait()
			say(3)
		}
		out.Close()
		<-r.done
		if diff := cmp.Diff(printed[7:], r.seqs); diff != "" || r.err != nil {
			t.Errorf("%v (-want +got):\n%s", r.err, diff)
		}
		if len(out.watchers) != 0 {
			t.Errorf("%d watchers are left", len(out.watchers))
		}
	})
}

func TestSlowFollowerSeesAGapAndDelaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := newOutput("n1", 10)
		for i := range 3 {
			out.Append(orchestrator.Stdout, 1, at(float64(i)), "x", false)
		}
		never := startSlowReader(t.Context(), out, orchestrator.LogQuery{})
		slow := startSlowReader(t.Context(), out, orchestrator.LogQuery{})
		synctest.Wait() // each is at the first line
		for i := range 1000 {
			out.Append(orchestrator.Stdout, 1, at(float64(3+i)), "x", false) // would deadlock if a reader were waited for
		}
		close(slow.gate)
		out.Close()
		<-slow.done
		want := []uint64{1, 2, 3, 0, 994, 995, 996, 997, 998, 999, 1000, 1001, 1002, 1003}
		if diff := cmp.Diff(want, slow.seqs); diff != "" || slow.err != nil {
			t.Errorf("%v (-want +got):\n%s", slow.err, diff)
		}
		if gap := slow.gap; gap.Dropped != 990 || gap.Text != "── 990 lines of n1's stdout are no longer kept ──" {
			t.Errorf("the gap is reported as %+v", gap)
		}
		if n := out.Dropped(); n != 993 {
			t.Errorf("%d lines dropped, want 993", n)
		}
		close(never.gate)
		<-never.done
	})
}

func TestFollowingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newOutput("a", 10), newOutput("b", 10)
		follow := func(ctx context.Context, fn func(orchestrator.Line) error) chan error {
			done := make(chan error, 1)
			go func() { done <- Read(ctx, []*Output{a, b}, orchestrator.LogQuery{Follow: true}, fn) }()
			return done
		}
		keep := func(orchestrator.Line) error { return nil }
		mine := errors.New("mine")

		ctx, cancel := context.WithCancel(t.Context())
		cancelled := follow(ctx, keep)
		failing := follow(t.Context(), func(orchestrator.Line) error { return mine })
		closed := follow(t.Context(), keep)
		synctest.Wait()
		cancel()
		if err := <-cancelled; err != nil {
			t.Errorf("cancelled: %v", err)
		}
		b.Append(orchestrator.Stderr, 1, at(1), "x", false)
		if err := <-failing; !errors.Is(err, mine) {
			t.Errorf("fn failed: %v", err)
		}
		a.Close()
		synctest.Wait()
		select {
		case err := <-closed:
			t.Errorf("ended with one output of two: %v", err)
		default:
		}
		b.Close()
		if err := <-closed; err != nil {
			t.Errorf("closed: %v", err)
		}
		if n := len(a.watchers) + len(b.watchers); n != 0 {
			t.Errorf("%d watchers are left", n)
		}
		if err := <-follow(t.Context(), keep); err != nil {
			t.Errorf("of closed outputs: %v", err)
		}
	})
}

func TestLogQueries(t *testing.T) {
	out := newOutput("n1", 4)
	out.Append(orchestrator.Stdout, 1, at(1), "a dropped one", false)
	for i, text := range []string{"boot", "error 1", "fine"} {
		out.Append(orchestrator.Stdout, 1, at(float64(2+i)), text, false)
	}
	out.Mark(2, at(5), "── n1 restarted (exit 137, killed) ──")
	out.Append(orchestrator.Stderr, 2, at(6), "error 2", false)
	out.Append(orchestrator.Stdout, 2, at(7), "error 3", false)
	out.Close()
	const gap, mark = "── 1 line of n1's stdout is no longer kept ──", "── n1 restarted (exit 137, killed) ──"
	for name, tt := range map[string]struct {
		q    orchestrator.LogQuery
		want []string
	}{
		"all":                     {orchestrator.LogQuery{}, []string{gap, "boot", "error 1", "fine", mark, "error 2", "error 3"}},
		"one stream":              {orchestrator.LogQuery{Stream: orchestrator.Stderr}, []string{"error 2"}},
		"the last":                {orchestrator.LogQuery{Tail: 2}, []string{"error 2", "error 3"}},
		"one run":                 {orchestrator.LogQuery{Run: 1}, []string{"boot", "error 1", "fine"}},
		"a run that was not":      {orchestrator.LogQuery{Run: 7}, nil},
		"since the restart":       {orchestrator.LogQuery{SinceRestart: true}, []string{mark, "error 2", "error 3"}},
		"a pattern, and the mark": {orchestrator.LogQuery{Grep: "^err.* [13]"}, []string{"error 1", mark, "error 3"}},
		"the last that match":     {orchestrator.LogQuery{Grep: "error", Tail: 1}, []string{"error 3"}},
		"a pattern in a run":      {orchestrator.LogQuery{Grep: "error", Run: 1}, []string{"error 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, follow := range []bool{false, true} {
				tt.q.Follow = follow
				var got []string
				err := out.Read(t.Context(), tt.q, func(l orchestrator.Line) error { got = append(got, l.Text); return nil })
				if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
			}
		})
	}
	if err := out.Read(t.Context(), orchestrator.LogQuery{Grep: "("}, nil); err == nil || len(orchestrator.HintOf(err)) == 0 {
		t.Errorf("an invalid pattern: %v", err)
	}
}

// Lines in the report of a failure are cut after secrets are removed.
func TestALongSecretIsNotCutIntoAnExcerpt(t *testing.T) {
	token := strings.Repeat("s3cret'", 60)
	out := newOutput("n1", 10)
	out.Append(orchestrator.Stderr, 1, time.Unix(1, 0), strings.Repeat("x", maxExcerpt-10)+token, false)
	if got := out.Excerpt(1, strings.NewReplacer(token, "[secret]").Replace)[0]; strings.Contains(got, "s3cr") || len(got) > maxExcerpt+20 {
		t.Errorf("%s", got)
	}
}
