package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/docker/frames"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// logEngine keeps one container's log as Docker does, and breaks its streams as
// specified.
type logEngine struct {
	orchestrator.Streams // without events

	mu      sync.Mutex
	file    []logFrame
	rotated int // frames that were rotated away
	run     int // 0: not started yet
	running bool
	changed chan struct{}
	opens   []time.Time // the since of each stream
	opened  []time.Time // when each stream was opened

	// breaks says how each stream in turn ends: after that many bytes, cleanly if the
	// number is odd; immediately with an error for 0. Later streams do not break.
	breaks []int
	// refuse is the error of every Logs, if set. stall keeps every new stream silent.
	refuse error
	stall  bool
	slow   time.Duration // before each frame
}

type logFrame struct {
	at    time.Time
	bytes []byte
}

func newLogEngine() *logEngine { return &logEngine{changed: make(chan struct{})} }

func (e *logEngine) update(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *logEngine) print(stream byte, at time.Time, parts ...string) {
	e.update(func() {
		for _, p := range parts {
			e.file = append(e.file, logFrame{at, frame(stream, at, p)})
		}
	})
}

func (e *logEngine) start()                    { e.update(func() { e.run++; e.running = true }) }
func (e *logEngine) exit()                     { e.update(func() { e.running = false }) }
func (e *logEngine) runs(context.Context) bool { e.mu.Lock(); defer e.mu.Unlock(); return e.running }

func (e *logEngine) log(run int, began time.Time) runLog {
	return runLog{engine: e, container: "c1", run: run, began: began, running: e.runs}
}

func (e *logEngine) Logs(ctx context.Context, _ string, since time.Time, follow bool) (orchestrator.LogReader, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.opens = append(e.opens, since)
	e.opened = append(e.opened, time.Now())
	if e.refuse != nil {
		return nil, e.refuse
	}
	r := &logReader{ctx: ctx, engine: e, since: since, follow: follow, run: e.run, next: e.rotated, left: -1, stall: e.stall}
	if len(e.breaks) > 0 {
		r.left, e.breaks = e.breaks[0], e.breaks[1:]
		r.clean = follow && r.left%2 == 1 // a stream that does not follow ends cleanly only at its end
		if r.left == 0 {
			return nil, orchestrator.ErrEngineUnreachable
		}
	}
	return frames.NewReader(r), nil
}

type logReader struct {
	ctx    context.Context
	engine *logEngine
	since  time.Time // zero after a record that was not older
	follow bool
	run    int
	next   int
	buf    []byte
	left   int // bytes until it breaks; -1: never
	clean  bool
	stall  bool
}

var errReset = errors.New("connection reset by peer")

func (r *logReader) Close() error { return nil }

func (r *logReader) Read(p []byte) (int, error) {
	if r.stall {
		<-r.ctx.Done()
		return 0, r.ctx.Err()
	}
	for len(r.buf) == 0 {
		e := r.engine
		e.mu.Lock()
		r.next = max(r.next, e.rotated)
		changed, over := e.changed, !r.follow || !e.running || e.run != r.run
		if r.next < len(e.file) {
			if f := e.file[r.next]; !f.at.Before(r.since) {
				r.since, r.buf = time.Time{}, f.bytes
			}
			r.next++
			slow := e.slow
			e.mu.Unlock()
			if !wait.Sleep(r.ctx, slow) {
				return 0, r.ctx.Err()
			}
			continue
		}
		e.mu.Unlock()
		if over {
			return 0, io.EOF
		}
		select {
		case <-changed:
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		}
	}
	n := copy(p, r.buf)
	if r.left >= 0 {
		if n = min(n, r.left); n == 0 {
			if r.clean {
				return 0, io.EOF
			}
			return 0, errReset
		}
		r.left -= n
	}
	r.buf = r.buf[n:]
	return n, nil
}

// followTest is a follower on a log engine. Each run is followed as a cluster does it.
type followTest struct {
	*logEngine
	out      *Output
	follower *follower
	wg       sync.WaitGroup
	errs     []error
}

func newFollowTest() *followTest {
	out := newOutput("n1", 10_000)
	return &followTest{logEngine: newLogEngine(), out: out, follower: newFollower(out)}
}

func (f *followTest) start(began time.Time) {
	f.logEngine.start()
	log := f.log(f.run, began)
	f.wg.Go(func() {
		if err := f.follower.follow(context.Background(), log); err != nil {
			f.errs = append(f.errs, err)
		}
	})
}

func (f *followTest) got() []string { return brief(f.out.Tail(0)) }

func TestFollowCopiesARunToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowTest()
		f.start(at(10))
		f.print(1, at(9.9), "before StartedAt, as old engines take it\n")
		f.print(2, at(11), "live\n")
		synctest.Wait()
		if diff := cmp.Diff(2, len(f.got())); diff != "" {
			t.Errorf("no line arrived while the run continued: %v", f.got())
		}
		f.print(1, at(12), "no newline")
		f.exit()
		f.wg.Wait()
		want := []string{"n1/1 stdout 1 before StartedAt, as old engines take it", "n1/1 stderr 1 live", "n1/1 stdout 2 no newline"}
		if diff := cmp.Diff(want, f.got()); diff != "" || f.errs != nil {
			t.Errorf("%v (-want +got):\n%s", f.errs, diff)
		}
	})
}

func TestFollowResumesInTheMiddleOfALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowTest()
		first, second := strings.Repeat("a", 16<<10), strings.Repeat("b", 16<<10)
		f.print(1, at(1), "x\n")
		f.print(1, at(1), "y\n") // with the same timestamp: the count tells them apart
		f.print(1, at(1), "z\n")
		size := len(f.file[0].bytes)
		f.breaks = []int{2 * size, 3*size + 16<<10 + 100, 0, 0, 17}
		f.start(at(0))
		f.print(1, at(2), first, second, "c\n")
		f.print(1, at(2), "d\n")
		time.Sleep(time.Minute)
		f.exit()
		f.wg.Wait()
		want := []string{"n1/1 stdout 1 x", "n1/1 stdout 2 y", "n1/1 stdout 3 z", "n1/1 stdout 4 " + first + second + "c", "n1/1 stdout 5 d"}
		if diff := cmp.Diff(want, f.got()); diff != "" || len(f.breaks) > 0 {
			t.Errorf("%d breaks left (-want +got):\n%s", len(f.breaks), diff)
		}
		if diff := cmp.Diff([]time.Time{{}, at(0), at(0), at(0), at(0), at(0), at(1)}, f.opens); diff != "" {
			t.Errorf("read from (-want +got):\n%s", diff)
		}
	})
}

func TestALineThatIsOpenForLongIsReadFromItsStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowTest()
		f.start(at(0))
		f.print(1, at(1), strings.Repeat("a", 16<<10))
		for i := range 5 {
			f.print(2, at(float64(2+i)), "meanwhile\n")
		}
		synctest.Wait()
		f.exit() // the read that drains the log begins where the open line does
		f.wg.Wait()
		if got := f.out.TailStream(orchestrator.Stdout, 0); len(got) != 1 || len(got[0].Text) != 16<<10 {
			t.Errorf("got %v", got)
		}
		if n := len(f.out.TailStream(orchestrator.Stderr, 0)); n != 5 {
			t.Errorf("%d lines of stderr, want 5", n)
		}
	})
}

func TestAStreamThatEndsEarlyAtTheExitIsDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowTest()
		part := strings.Repeat("a", 16<<10)
		f.print(1, at(1), part, part, "end\n")
		f.breaks = []int{len(f.file[0].bytes)} // between two frames of a line, and cleanly
		f.start(at(0))
		f.exit()
		f.wg.Wait()
		if diff := cmp.Diff([]string{"n1/1 stdout 1 " + part + part + "end"}, f.got()); diff != "" || len(f.opens) < 2 {
			t.Errorf("%d streams (-want +got):\n%s", len(f.opens), diff) // 3 if the exit comes after the first stream broke
		}
	})
}

func TestFollowBacksOffUntilALineComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowTest()
		f.print(1, at(1), "a\n")
		f.print(1, at(2), "b\n")
		f.breaks = []int{0, 0, 0, 0, 0, 0, 0, len(f.file[0].bytes), 0}
		f.start(at(0))
		time.Sleep(time.Hour)
		f.exit()
		f.wg.Wait()
		var waits []int64
		for i, at := range f.opened[1:10] {
			waits = append(waits, at.Sub(f.opened[i]).Milliseconds())
		}
		want := []int64{50, 100, 200, 400, 800, 1600, 2000, 50, 100}
		if diff := cmp.Diff(want, waits); diff != "" {
			t.Errorf("ms (-want +got):\n%s", diff)
		}
	})
}

func TestFollowTellsRunsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowTest()
		f.start(at(10))
		f.print(1, at(11), "a\n")
		synctest.Wait()
		f.refuse = orchestrator.ErrEngineUnreachable
		f.print(2, at(12), "the end of run 1")
		f.exit()
		time.Sleep(990 * time.Millisecond) // the follower cannot drain the log
		f.update(func() { f.refuse = nil })
		f.start(at(12.5)) // the end of run 1 is read by the follow of run 2
		f.print(1, at(12.6), "b\n")
		f.print(2, at(12.6), "c\n")
		synctest.Wait()
		late := f.log(1, at(10)) // a goroutine that is late
		if err := f.follower.follow(t.Context(), late); err != nil {
			t.Error(err)
		}
		f.exit()
		f.wg.Wait()
		want := []string{"n1/1 stdout 1 a", "n1/1 stderr 1 the end of run 1", "n1/2 stdout 2 b", "n1/2 stderr 2 c"}
		if diff := cmp.Diff(want, f.got()); diff != "" || f.errs != nil {
			t.Errorf("%v (-want +got):\n%s", f.errs, diff)
		}
	})
}

// A line belongs to the run that printed it, although the node was restarted twice while its past
// was read: each run's follow continues where the one before was, however far that came.
func TestRestartsWhileThePastIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowTest()
		f.print(1, at(1), "a\n")
		f.print(2, at(2), "b\n")
		f.print(1, at(11), "c\n")
		f.print(2, at(21), "d\n")
		f.print(1, at(31), "e\n")
		f.breaks = []int{1, 3, 5} // each reads nothing whole
		f.start(at(0))
		synctest.Wait()
		f.start(at(10))
		f.start(at(30))
		synctest.Wait()
		f.exit()
		f.wg.Wait()
		want := []string{"n1/1 stdout 1 a", "n1/1 stderr 1 b", "n1/2 stdout 2 c", "n1/2 stderr 2 d", "n1/3 stdout 3 e"}
		if diff := cmp.Diff(want, f.got()); diff != "" || f.errs != nil {
			t.Errorf("%v (-want +got):\n%s", f.errs, diff)
		}
	})
}

// Without a supervisor, nothing counts the runs. A mark shows where the last one begins, and
// it can be selected, also while it has printed nothing.
func TestRunsThatAreNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowTest()
		f.print(1, at(1), "a\n")
		f.print(2, at(2), "the end of an earlier run\n")
		f.running = true
		last := func() (lines []string) {
			if err := f.out.Read(t.Context(), orchestrator.LogQuery{SinceRestart: true}, func(l orchestrator.Line) error {
				lines = append(lines, brief([]orchestrator.Line{l})...)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			return lines
		}
		if err := f.follower.readKept(t.Context(), f.log(Uncounted, at(3))); err != nil || len(last()) != 0 {
			t.Errorf("%v; the last run, which is silent: %q", err, last())
		}
		f.print(2, at(4), "c\n")
		f.print(1, at(5), "d\n")
		f.exit()
		if err := f.follower.follow(t.Context(), f.log(Uncounted, at(3))); err != nil {
			t.Error(err)
		}
		run := []string{"n1/0 system 1 ── n1 restarted ──", "n1/0 stderr 2 c", "n1/0 stdout 2 d"}
		if diff := cmp.Diff(append([]string{"n1/0 stdout 1 a", "n1/0 stderr 1 the end of an earlier run"}, run...), f.got()); diff != "" {
			t.Errorf("all (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(run, last()); diff != "" {
			t.Errorf("the last run (-want +got):\n%s", diff)
		}
	})
}

func TestReadKeptThenFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowTest()
		f.print(1, at(1), "a\n")
		f.print(1, at(2), strings.Repeat("b", 16<<10))
		f.running = true
		if err := f.follower.readKept(t.Context(), f.log(1, time.Time{})); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"n1/1 stdout 1 a"}, f.got()); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
		f.start(time.Time{})
		f.print(1, at(2), "c\n")
		synctest.Wait()
		f.print(1, at(3), "d")
		f.exit()
		f.wg.Wait()
		want := []string{"n1/1 stdout 1 a", "n1/1 stdout 2 " + strings.Repeat("b", 16<<10) + "c", "n1/1 stdout 3 d"}
		if diff := cmp.Diff(want, f.got()); diff != "" || f.errs != nil {
			t.Errorf("%v (-want +got):\n%s", f.errs, diff)
		}
	})
}

func TestFollowReportsEngineErrorsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowTest()
		f.refuse = errors.New("configured logging driver does not support reading")
		f.start(at(0))
		time.Sleep(time.Minute)
		f.update(func() { f.refuse = nil })
		f.print(1, at(1), "a\n")
		time.Sleep(time.Minute)
		f.update(func() { f.file = append(f.file, logFrame{at(2), rawFrame(3, "Error grabbing logs: EOF\n\n")}) })
		synctest.Wait()
		f.update(func() { f.file = append(f.file, logFrame{at(2), []byte("garbage in the stream")}) })
		time.Sleep(time.Minute) // it reconnects, and gets both again and again
		f.exit()
		f.wg.Wait()
		var got []string
		for _, l := range f.out.TailStream(orchestrator.StreamSystem, 0) {
			got = append(got, l.Text)
		}
		want := []string{"configured logging driver does not support reading", "Error grabbing logs: EOF", "malformed log stream: a frame begins with 67 61 72 62 61 67 65 20"}
		if diff := cmp.Diff(want, got[:min(len(got), 3)]); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if len(got) > 3 {
			t.Errorf("%d more complaints", len(got)-3)
		}
		var malformed *orchestrator.LogError
		if len(f.errs) != 1 || !errors.As(f.errs[0], &malformed) {
			t.Errorf("the run's log could not be read to its end: %v", f.errs)
		}
	})
}

// What an engine is slow to send is read to its end, as long as it sends anything.
func TestASlowLogIsDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowTest()
		var want []string
		for i := range 4 {
			f.print(1, at(float64(i)), fmt.Sprintf("%d\n", i))
			want = append(want, fmt.Sprintf("n1/1 stdout %d %d", i+1, i))
		}
		f.breaks = []int{1} // the stream of the run that goes on
		f.slow = drainLimit - time.Second
		f.start(at(0))
		f.exit()
		f.wg.Wait()
		if diff := cmp.Diff(want, f.got()); diff != "" || f.errs != nil {
			t.Errorf("%v (-want +got):\n%s", f.errs, diff)
		}
	})
}

func TestFollowEndsInTime(t *testing.T) {
	for _, tt := range []struct {
		name  string
		end   func(*followTest, context.CancelFunc)
		want  error
		after time.Duration
	}{
		{"the container is gone", func(f *followTest, _ context.CancelFunc) { f.refuse = orchestrator.ErrNotFound; f.exit() }, orchestrator.ErrNotFound, 0},
		{"the context ends", func(_ *followTest, cancel context.CancelFunc) { cancel() }, context.Canceled, 0},
		{"the engine fails at the exit", func(f *followTest, _ context.CancelFunc) { f.refuse = orchestrator.ErrEngineUnreachable; f.exit() }, orchestrator.ErrEngineUnreachable, drainTime},
		{"the engine stalls at the exit", func(f *followTest, _ context.CancelFunc) { f.stall = true; f.exit() }, context.DeadlineExceeded, drainLimit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFollowTest()
				f.logEngine.start()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- f.follower.follow(ctx, f.log(1, at(0))) }()
				synctest.Wait()
				begin := time.Now()
				tt.end(f, cancel)
				if err := <-done; !errors.Is(err, tt.want) || time.Since(begin) != tt.after {
					t.Errorf("%v after %v, want %v after %v", err, time.Since(begin), tt.want, tt.after)
				}
			})
		})
	}
}

// TestNoLineIsLostOrRepeated tests promise 1: over streams that break at any byte,
// restarts with and without an open line, rotation of what was read, and timestamps that
// repeat or are out of order between the streams, each numbered line arrives once, in
// order.
func TestNoLineIsLostOrRepeated(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type step struct {
			what, n int
			pause   time.Duration
		}
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{rapid.IntRange(0, 9).Draw(t, "what"), rapid.IntRange(0, 5).Draw(t, "n"),
				time.Duration(rapid.SampledFrom([]int{0, 1, 60, 3000}).Draw(t, "pause ms")) * time.Millisecond}
		}), 1, 60).Draw(rt, "steps")
		breaks := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(0, 60_000)), 0, 25).Draw(rt, "breaks")
		ticks := rapid.SliceOfN(rapid.SampledFrom([]int{0, 0, 1, 700, 400_000}), 1, 20).Draw(rt, "ticks µs")

		var failure string
		synctest.Test(t, func(*testing.T) {
			f := newFollowTest()
			f.breaks = breaks
			want := map[orchestrator.Stream][]string{}
			stamps := [2]time.Time{at(0), at(0)}
			now, ticked := at(1), 0
			tick := func(stream int) time.Time { // the streams' clocks differ by microseconds
				d := ticks[ticked%len(ticks)]
				ticked++
				now = now.Add(time.Duration(d) * time.Microsecond)
				if s := now.Add(-time.Duration(d%7) * time.Microsecond); s.After(stamps[stream]) {
					stamps[stream] = s
				}
				return stamps[stream]
			}
			say := func(stream int, end string, long int) {
				name := streams[stream]
				text := fmt.Sprintf("%s line %d ", name, len(want[name])+1)
				parts := []string{text}
				for range long {
					parts = append(parts, strings.Repeat("x", 16<<10))
				}
				want[name] = append(want[name], strings.Join(parts, ""))
				parts[long] += end
				f.print(byte(stream+1), tick(stream), parts...)
			}
			f.start(now)
			for _, s := range steps {
				switch s.what {
				case 0, 1, 2, 3:
					for range s.n {
						say(s.what%2, "\n", 0)
					}
				case 4, 5:
					say(s.what%2, "\n", s.n)
				case 6:
					say(0, "\r\n", 0)
				case 7: // a crash with an open line, and a restart
					say(s.n%2, "", s.n/2)
					f.exit()
					now = now.Add(time.Millisecond)
					time.Sleep(s.pause)
					f.start(now)
					now = now.Add(time.Millisecond)
				case 8: // and at once
					f.exit()
					now = now.Add(time.Millisecond)
					f.start(now)
				case 9: // everything that was delivered, up to the last timestamp, is rotated away
					synctest.Wait()
					f.update(func() {
						for ; f.rotated < len(f.file)-s.n; f.rotated++ {
							old := f.file[f.rotated]
							kept := f.out.TailStream(streams[old.bytes[0]-1], 1)
							if len(kept) == 0 || !old.at.Before(kept[0].Time) {
								break
							}
						}
					})
				}
				time.Sleep(s.pause)
			}
			f.exit()
			f.wg.Wait()
			for _, name := range streams[:2] {
				var got []string
				for _, l := range f.out.TailStream(name, 0) {
					got = append(got, l.Text)
				}
				if diff := cmp.Diff(want[name], got); diff != "" {
					failure += fmt.Sprintf("%s (-want +got):\n%s", name, diff)
				}
			}
			if f.errs != nil {
				failure += fmt.Sprint(f.errs)
			}
		})
		if failure != "" {
			rt.Fatal(failure)
		}
	})
}

func TestWritersAndReadersTogether(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	const lines = 5000
	out := newOutput("n1", lines)
	var readers, writers sync.WaitGroup
	seen := make([]map[orchestrator.Stream]uint64, 3)
	for i := range seen {
		seen[i] = map[orchestrator.Stream]uint64{}
		readers.Go(func() {
			err := out.Read(t.Context(), orchestrator.LogQuery{Follow: true}, func(l orchestrator.Line) error {
				if l.Seq != seen[i][l.Stream]+1 {
					return fmt.Errorf("%s %d after %d", l.Stream, l.Seq, seen[i][l.Stream])
				}
				seen[i][l.Stream] = l.Seq
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for _, stream := range []orchestrator.Stream{orchestrator.Stdout, orchestrator.Stderr} {
		writers.Go(func() {
			for i := range lines {
				out.Append(stream, 1, at(float64(i)), "x", false)
				if i%1000 == 0 {
					out.Excerpt(20, nil)
				}
			}
		})
	}
	writers.Wait()
	out.Close()
	readers.Wait()
	for i := range seen {
		if diff := cmp.Diff(map[orchestrator.Stream]uint64{orchestrator.Stdout: lines, orchestrator.Stderr: lines}, seen[i]); diff != "" {
			t.Errorf("reader %d (-want +got):\n%s", i, diff)
		}
	}
}

// BenchmarkFollow reads a log from Docker's framing into the ring.
func BenchmarkFollow(b *testing.B) {
	const lines = 10_000
	engine := newLogEngine()
	whole := repeat(lines, frame(1, at(1), strings.Repeat("x", 99)+"\n"))
	engine.file = []logFrame{{at(1), whole}}
	b.SetBytes(int64(len(whole)))
	b.ReportAllocs()
	for b.Loop() {
		if err := newFollower(newOutput("n1", 1000)).readKept(b.Context(), engine.log(1, at(1))); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// oneLog is an engine whose log consists of these frames.
type oneLog struct {
	orchestrator.Streams
	frames []byte
}

func (e oneLog) Logs(context.Context, string, time.Time, bool) (orchestrator.LogReader, error) {
	return frames.NewReader(io.NopCloser(strings.NewReader(string(e.frames)))), nil
}

// An engine of 20.10 starts a file again when it is notified of the rotation that created
// it. A clock that was set back looks the same, except for the present time.
func TestARepeatedFileIsSkipped(t *testing.T) {
	var log []byte
	for text := range strings.FieldsSeq("1 2 3 4 4b 5 3 4 4b 5 6 7 6 7 8 8 9") {
		second, _ := strconv.ParseFloat(text[:1], 64)
		log = append(log, frame(1, at(second), text+"\n")...)
		if text == "4" {
			log = append(log, frame(2, at(second), "err\n")...) // the streams are distinguished
		}
	}
	for name, c := range map[string]struct {
		now  time.Time
		want string
	}{
		"begun again":            {at(9), "1 2 3 4 4b 5 6 7 8 9"},
		"its clock was set back": {at(0), "1 2 3 4 4b 5 3 4 4b 5 6 7 6 7 8 8 9"},
		"it was, later on":       {at(5.5), "1 2 3 4 4b 5 6 7 6 7 8 8 9"},
	} {
		f := newFollower(newOutput("n1", 100))
		f.now = func() time.Time { return c.now }
		if err := f.readKept(t.Context(), runLog{engine: oneLog{frames: log}, run: 1, running: func(context.Context) bool { return false }}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range f.out.TailStream(orchestrator.Stdout, 0) {
			got = append(got, l.Text)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}
