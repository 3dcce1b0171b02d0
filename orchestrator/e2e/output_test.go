package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/beamyard/beamyard/orchestrator"
)

// The output of real nodes on the real engine, compared with what the engine itself keeps
// of it.

// followed collects the lines that one reader of a cluster's output gets.
type followed struct {
	mu    sync.Mutex
	lines map[string][]orchestrator.Line // by node and stream
	last  map[string]string              // the last text of each
}

func key(node string, stream orchestrator.Stream) string { return node + "/" + string(stream) }

// follow reads in the background until the cluster ends.
func (r *running) follow() *followed {
	f := &followed{lines: map[string][]orchestrator.Line{}, last: map[string]string{}}
	go func() {
		_ = r.Logs(context.Background(), orchestrator.LogQuery{Follow: true}, func(l orchestrator.Line) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			k := key(l.Node, l.Stream)
			f.lines[k] = append(f.lines[k], l)
			f.last[k] = l.Text
			return nil
		})
	}()
	return f
}

func (f *followed) of(node string, stream orchestrator.Stream) []orchestrator.Line {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lines[key(node, stream)])
}

// sees waits until a line with this text arrives.
func (f *followed) sees(t testing.TB, node string, stream orchestrator.Stream, text string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s says %.40q on %s", node, text, stream), func() bool {
		return slices.ContainsFunc(f.of(node, stream), func(l orchestrator.Line) bool { return l.Text == text })
	})
}

// printNumbers makes a node print "out RUN N" and "err RUN N" up to count, in batches of
// 20 with a pause, on streams that live as long as the node.
func (r *running) printNumbers(node string, run, count int) {
	r.t.Helper()
	r.rpc(node, fmt.Sprintf(`spawn(fn ->
		for lump <- Enum.chunk_every(1..%d, 20) do
			:io.put_chars(:user, for(i <- lump, do: "out %[2]d #{i}\n"))
			:io.put_chars(:standard_error, for(i <- lump, do: "err %[2]d #{i}\n"))
			Process.sleep(4)
		end
	end); :ok`, count, run))
}

// kept returns what the engine keeps of a container's streams, in lines that end in "
// ". A VM that stops may end its last line in "\r
// ", which Beamyard also takes as the end of a line.
func kept(t testing.TB, id string) map[orchestrator.Stream]string {
	t.Helper()
	body, err := bareClient(t).ContainerLogs(t.Context(), id, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	var out, err2 bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &err2, body); err != nil {
		t.Fatal(err)
	}
	plain := func(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }
	return map[orchestrator.Stream]string{orchestrator.Stdout: plain(out.String()), orchestrator.Stderr: plain(err2.String())}
}

// contiguous checks that no line was lost or repeated on its way to the reader.
func contiguous(t testing.TB, what string, lines []orchestrator.Line) {
	t.Helper()
	for i, l := range lines {
		if l.Seq != uint64(i+1) {
			t.Fatalf("%s: line %d has Seq %d: %.80q", what, i+1, l.Seq, l.Text)
		}
	}
}

// same compares lines with the engine's text. Only the last line of a run may lack its
// newline.
func same(t testing.TB, what string, lines []orchestrator.Line, text string) {
	t.Helper()
	for i, l := range lines {
		rest, ok := strings.CutPrefix(text, l.Text)
		over := i+1 == len(lines) || lines[i+1].Run != l.Run
		ended := strings.HasPrefix(rest, "\n")
		if !ok || (!ended && !over) {
			t.Fatalf("%s: line %d is %.80q, but the engine has %.80q", what, i+1, l.Text, text)
		}
		text = strings.TrimPrefix(rest, "\n")
	}
	if text != "" {
		t.Fatalf("%s: %d lines, but the engine has more: %.200q", what, len(lines), text)
	}
}

var streams = []orchestrator.Stream{orchestrator.Stdout, orchestrator.Stderr}

var prefix = map[orchestrator.Stream]string{orchestrator.Stdout: "out", orchestrator.Stderr: "err"}

// No line is lost or repeated over kills and restarts in the middle of printing, and each
// line has the run that printed it.
func TestNumberedLinesOverKills(t *testing.T) {
	t.Parallel()
	const count = 20_000 // 5 s of printing: longer than a graceful stop takes, even on a busy machine
	r := up(t, engine(t), "trixie", 3, func(s *orchestrator.Spec) {
		s.OutputLines = 100_000
		s.Restart = orchestrator.RestartPolicy{Backoff: 100 * time.Millisecond, Max: 20}
	})
	f := r.follow()
	again := func(node string, run int) {
		r.until(node, fmt.Sprintf("is in run %d", run), func(n orchestrator.NodeStatus) bool {
			return n.State == orchestrator.Ready && n.Incarnation == run
		})
		r.printNumbers(node, run, count)
	}
	r.rpc("n3", `:io.put_chars(:standard_error, "\r\n")`)
	r.printNumbers("n1", 1, count)
	r.printNumbers("n2", 1, count)
	r.printNumbers("n3", 1, count)
	for run := 1; run <= 3; run++ {
		for _, stream := range streams {
			f.sees(t, "n2", stream, fmt.Sprintf("%s %d 400", prefix[stream], run))
		}
		if err := r.Kill(t.Context(), "KILL", "n2"); err != nil {
			t.Fatal(err)
		}
		if run <= 2 {
			f.sees(t, "n3", orchestrator.Stderr, fmt.Sprintf("err %d 400", run))
			if err := r.Restart(t.Context(), "n3"); err != nil {
				t.Fatal(err)
			}
			again("n3", run+1)
		}
		again("n2", run+1)
	}
	runs := map[string]int{"n1": 1, "n2": 4, "n3": 3}
	for node, last := range runs {
		for _, stream := range streams {
			f.sees(t, node, stream, fmt.Sprintf("%s %d %d", prefix[stream], last, count))
		}
	}
	if err := r.Stop(t.Context(), "n1", "n2", "n3"); err != nil { // nothing more is printed
		t.Fatal(err)
	}
	for node, last := range runs {
		text := kept(t, r.node(node).ContainerID)
		for _, stream := range streams {
			what := key(node, stream)
			end := strings.TrimSuffix(text[stream], "\n")
			eventually(t, what+" is read to its end", func() bool {
				lines := f.of(node, stream)
				return len(lines) > 0 && strings.HasSuffix(end, lines[len(lines)-1].Text) && len(lines) >= strings.Count(text[stream], "\n")
			})
			lines := f.of(node, stream)
			contiguous(t, what, lines)
			same(t, what, lines, text[stream])
			next := make([]int, last+1)
			for i, l := range lines {
				if i > 0 && l.Run < lines[i-1].Run {
					t.Fatalf("%s: run %d after run %d: %q", what, l.Run, lines[i-1].Run, l.Text)
				}
				var run, n int
				if _, err := fmt.Sscanf(l.Text, prefix[stream]+" %d %d", &run, &n); err != nil {
					continue // a line of the node's own
				}
				cutShort := i+1 == len(lines) || lines[i+1].Run != l.Run // its end was not written
				if next[run]++; run != l.Run || (n != next[run] && !cutShort) {
					t.Fatalf("%s: %q is of run %d, and number %d of it", what, l.Text, l.Run, next[run])
				}
			}
			for run := 1; run <= last; run++ {
				if whole := next[run] == count; next[run] < 400 || (run == last) != whole {
					t.Errorf("%s: %d numbers of run %d: it did not end while it printed", what, next[run], run)
				}
			}
		}
	}
}

// numbered returns the N of "PREFIX N …", and 0 for another line.
func numbered(text, prefix string) (n int) {
	if rest, ok := strings.CutPrefix(text, prefix+" "); ok {
		_, _ = fmt.Sscanf(rest, "%d", &n) // the text has no number
	}
	return n
}

// blast makes a node print "blast N xxx…" up to count, in lines of about 100 bytes,
// 10,000 at a time as fast as it can. It prints the next ones once read reports that the
// last line arrived. A daemon before 23.0 that falls behind by a whole file leaves it
// out, for every reader (moby/moby#43294): that is not what this test is about.
func (r *running) blast(node string, count int, read func(text string) bool) {
	r.t.Helper()
	const lump = 10_000
	for n := 0; n < count; n += lump {
		r.rpc(node, fmt.Sprintf(`spawn(fn ->
			fill = String.duplicate("x", 87)
			for some <- Enum.chunk_every(%d..%d, 500), do: :io.put_chars(:user, for(i <- some, do: "blast #{i} #{fill}\n"))
		end); :ok`, n+1, n+lump))
		last := fmt.Sprintf("blast %d ", n+lump)
		eventually(r.t, fmt.Sprintf("%s says %q", node, last), func() bool { return read(last) })
	}
}

// One reader gets everything that a node prints, whatever it is.
func TestOutputIsFollowed(t *testing.T) {
	t.Parallel()
	r := up(t, engine(t), newest, 1, func(s *orchestrator.Spec) {
		s.OutputLines, s.Restart.Backoff = 100_000, 100*time.Millisecond
	})
	f := r.follow()
	scenarios(t, r, newest, []scenario{
		{name: "strange", do: func(t *testing.T, r *running) { strangeOutput(t, r, f) }},
		{name: "rotation", do: func(t *testing.T, r *running) { rotationWhileFollowing(t, r, f) }},
	})
}

// The engine keeps three files of 10 MB, and rotates them while they are read.
func rotationWhileFollowing(t *testing.T, r *running, f *followed) {
	const count = 400_000 // 40 MB of text, 65 MB in the engine's files
	before := len(f.of("n1", orchestrator.StreamSystem))
	r.blast("n1", count, func(text string) bool {
		return strings.HasPrefix(f.end("n1", orchestrator.Stdout), text)
	})
	lines := f.of("n1", orchestrator.Stdout)
	contiguous(t, "n1/stdout", lines)
	seen := 0
	for _, l := range lines {
		switch n := numbered(l.Text, "blast"); n {
		case 0:
		case seen + 1:
			seen = n
		default:
			t.Fatalf("blast %d follows %d (Seq %d, %s)", n, seen, l.Seq, l.Time)
		}
	}
	if seen != count {
		t.Errorf("%d of %d lines", seen, count)
	}
	if text := kept(t, r.node("n1").ContainerID)[orchestrator.Stdout]; strings.Contains(text, "blast 1 ") {
		t.Errorf("the engine keeps all %d bytes: nothing was rotated away", len(text))
	}
	for _, l := range f.of("n1", orchestrator.StreamSystem)[before:] {
		t.Errorf("the engine reported an error: %s", l.Text)
	}
}

// end returns the last line that arrived.
func (f *followed) end(node string, stream orchestrator.Stream) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last[key(node, stream)]
}

// The output of a node arrives unchanged: long lines, lines without an end, and bytes
// that are not text. A shell writes to the streams of the container's first process and
// bypasses the VM, which would not print all of this.
func strangeOutput(t *testing.T, r *running, f *followed) {
	shell := func(script string) {
		t.Helper()
		script = "exec >/proc/1/fd/1 2>/proc/1/fd/2; " + script
		if got := r.rpc("n1", fmt.Sprintf(`System.cmd("sh", ["-c", %q]) |> elem(1)`, script)); got != "0" {
			t.Fatalf("%s: exit %s", script, got)
		}
	}
	mark := func(stream orchestrator.Stream, text string) int { // the line's position
		t.Helper()
		f.sees(t, "n1", stream, text)
		return slices.IndexFunc(f.of("n1", stream), func(l orchestrator.Line) bool { return l.Text == text })
	}
	short := func(s string) string { return fmt.Sprintf("%d bytes %.40q", len(s), s) }
	between := func(stream orchestrator.Stream, from, to string, want ...string) []orchestrator.Line {
		t.Helper()
		first, last := mark(stream, from), mark(stream, to)
		lines := f.of("n1", stream)[first+1 : last]
		for i := range max(len(lines), len(want)) {
			switch {
			case i >= len(lines):
				t.Errorf("%s after %q: no line %s", stream, from, short(want[i]))
			case i >= len(want) || lines[i].Text != want[i]:
				t.Errorf("%s after %q: line %d is %s, want %d lines", stream, from, i, short(lines[i].Text), len(want))
			}
		}
		return lines
	}

	shell(`echo long; head -c 40000 /dev/zero | tr '\0' a; echo; head -c 1048576 /dev/zero | tr '\0' b; echo; echo short`)
	lines := between(orchestrator.Stdout, "long", "short", strings.Repeat("a", 40000), strings.Repeat("b", 256<<10))
	if len(lines) == 2 && (lines[0].Cut || !lines[1].Cut) {
		t.Errorf("40 KB: cut %v; 1 MB: cut %v", lines[0].Cut, lines[1].Cut)
	}

	// The engine's log files are JSON. Bytes that are not UTF-8 are replaced there, each
	// by U+FFFD, and cannot be restored.
	shell(`echo raw; printf 'a\000b\000\n\000\n\377\376 \303\n\033[31mred\n\n \ttab\rback\n'; echo text`)
	between(orchestrator.Stdout, "raw", "text", "a\x00b\x00", "\x00", "\ufffd\ufffd \ufffd", "\x1b[31mred", "", " \ttab\rback")

	shell(`echo both; echo both >&2; i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo o$i; echo e$i >&2; done; echo done; echo done >&2`)
	var outs, errs []string
	for i := range 300 {
		outs, errs = append(outs, fmt.Sprintf("o%d", i+1)), append(errs, fmt.Sprintf("e%d", i+1))
	}
	between(orchestrator.Stdout, "both", "done", outs...)
	between(orchestrator.Stderr, "both", "done", errs...)

	shell(`echo half; echo half >&2; printf 'left\303'; printf 'open' >&2`)
	mark(orchestrator.Stdout, "half")
	mark(orchestrator.Stderr, "half")
	if err := r.Kill(t.Context(), "KILL", "n1"); err != nil {
		t.Fatal(err)
	}
	r.until("n1", "is restarted", func(n orchestrator.NodeStatus) bool {
		return n.State == orchestrator.Ready && n.Incarnation == 2
	})
	shell(`echo whole; echo whole >&2`)
	for stream, text := range map[orchestrator.Stream]string{orchestrator.Stdout: "left\ufffd", orchestrator.Stderr: "open"} {
		at := mark(stream, "half") + 1
		mark(stream, "whole")
		lines := f.of("n1", stream)
		if lines[at].Text != text || lines[at].Run != 1 || lines[at+1].Run != 2 {
			t.Errorf("%s: %+v, then %+v", stream, lines[at], lines[at+1])
		}
		contiguous(t, "n1/"+string(stream), lines)
	}
}

// pace is a reader of a node's stdout that a test can delay.
type pace struct {
	mu         sync.Mutex
	tail       []orchestrator.Line // only the last ones: the test must not keep what the ring dropped
	seq        uint64
	gap, marks uint64 // missing lines by their numbers, and as reported to the reader
	err        error
}

// read reads until ctx ends. wait is called before each line.
func (r *running) read(ctx context.Context, keep int, wait func()) *pace {
	p := &pace{}
	go func() {
		_ = r.Logs(ctx, orchestrator.LogQuery{Nodes: []string{"n1"}, Stream: orchestrator.Stdout, Follow: true}, func(l orchestrator.Line) error {
			wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			if l.Stream == orchestrator.StreamSystem {
				p.marks += l.Dropped
				return nil
			}
			if l.Seq <= p.seq {
				p.err = fmt.Errorf("Seq %d after %d", l.Seq, p.seq)
			}
			p.gap += l.Seq - p.seq - 1
			p.seq = l.Seq
			if p.tail = append(p.tail, l); len(p.tail) > 2*keep {
				p.tail = slices.Clone(p.tail[keep:])
			}
			return nil
		})
	}()
	return p
}

func (p *pace) at() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seq
}

// A reader that stops reading loses lines itself, and affects nothing else.
func TestASlowReaderDelaysNothing(t *testing.T) {
	const count, ring = 200_000, 2000
	r := up(t, engine(t), "trixie", 1, func(s *orchestrator.Spec) { s.OutputLines = ring })
	out, err := r.Output("n1")
	if err != nil {
		t.Fatal(err)
	}
	entered, release, step := make(chan struct{}), make(chan struct{}), make(chan struct{})
	opened := sync.OnceFunc(func() { close(release); close(step) })
	defer opened()
	stuck := r.read(t.Context(), ring, sync.OnceFunc(func() { close(entered); <-release }))
	sleepy := r.read(t.Context(), ring, func() { <-step }) // a line for each token
	<-entered
	prompt := r.read(t.Context(), ring, func() {})

	before := heap()
	began := time.Now()
	step <- struct{}{}
	end := func() orchestrator.Line { return out.TailStream(orchestrator.Stdout, 1)[0] }
	r.blast("n1", count, func(text string) bool {
		last := end()
		return strings.HasPrefix(last.Text, text) && prompt.at() == last.Seq
	})
	t.Logf("%d lines in %s; the prompt reader missed %d", count, time.Since(began), prompt.gap)
	// All lines would need 40 MB. What is kept, and copied for each reader, needs 0.5 MB.
	if grown := int64(heap()) - int64(before); grown > 8<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	if got := r.rpc("n1", "1 + 1"); got != "2" {
		t.Errorf("the node evaluates to %s", got)
	}
	if stuck.at() != 0 || sleepy.at() > 1 {
		t.Fatalf("the slow readers are at %d and %d: they were not slow", stuck.at(), sleepy.at())
	}

	opened()
	kept := out.TailStream(orchestrator.Stdout, 0)
	if len(kept) != ring {
		t.Errorf("%d lines are kept", len(kept))
	}
	for name, p := range map[string]*pace{"stuck": stuck, "sleepy": sleepy} {
		eventually(t, name+" reads to the end", func() bool { return p.at() == end().Seq })
		if p.err != nil || p.gap == 0 || p.gap != p.marks {
			t.Errorf("%s missed %d lines, of which %d were reported; %v", name, p.gap, p.marks, p.err)
		}
		if tail := p.tail[max(0, len(p.tail)-ring):]; !slices.Equal(tail, kept) {
			t.Errorf("%s: %d lines at the end, which are not the %d kept", name, len(tail), len(kept))
		}
	}
	if p := prompt; p.err != nil || p.gap != p.marks {
		t.Errorf("prompt missed %d lines, of which %d were reported; %v", p.gap, p.marks, p.err)
	}
}

// heap returns the bytes in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
