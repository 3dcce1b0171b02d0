package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// # Threads
//
// This file starts no goroutine. follow runs on its caller's, one for each run of a node.
// The next run's follow tells the previous one to stop, waits until it has, and continues
// from its position, so that only one goroutine at a time owns a follower's position.
// Readers of the [Output] never block it.

const (
	// If the engine fails, the rest of a run's output is requested again for drainTime. It is
	// read as long as a line comes within drainLimit: an engine decodes a log, up to 30 MB, from its
	// oldest file on (about 300,000 lines/s) to find the start.
	drainTime, drainLimit = 2 * time.Second, 10 * time.Second
	// overlap is how far before the last line a read begins. See follower.since.
	overlap = time.Second

	firstRetry, lastRetry = 50 * time.Millisecond, 2 * time.Second

	maxComplaints = 8 // without a new line in between
)

// follower copies a node's container output into its [Output]. It keeps its position
// across broken streams and across runs, so that no line that the engine kept is lost or
// repeated.
//
// Resuming relies on these properties: one goroutine of the engine copies each stream, so
// within a stream timestamps never decrease, a line has the timestamp of its first frame,
// and the order of the log is fixed. The delivered lines are therefore a prefix of each
// stream, and a timestamp with the count of delivered lines that carry it says where the
// prefix ends. A line that was incomplete when a stream broke is read again from its
// start. A wall clock that is set back while a stream is broken cannot be detected.
//
// Engines do not always keep the order: 20.10 starts a file again that it has begun to
// read, when it is notified of the rotation that created it. A timestamp that goes back
// indicates this, unless the clock went back as well; the delivered lines are then
// skipped once more.
type follower struct {
	out *Output
	now func() time.Time // the engine's clock, which is this machine's except for remote engines

	mu   sync.Mutex // guards the following four
	run  int
	stop context.CancelFunc // ends the current or last follow
	idle <-chan struct{}    // closed when that follow has ended
	runs []runStart         // all runs that were to be followed, in order

	// Owned by the current follow.
	position   [len(streams)]position
	cur        int      // the run that is followed
	earlier    bool     // the last line was of run uncountedEarlier
	complaints []string // the engine's errors shown since the last new line
	heard      func()   // called for each line that is read; nil: not
}

// runLog says where to read the output of one run.
type runLog struct {
	engine    orchestrator.Streams
	container string
	run       int // the incarnation, or Uncounted

	// began is the earliest possible start of the run, by the engine's clock: the time of
	// the previous run's die event, or the container's StartedAt. An earlier line belongs
	// to the previous run (20.10 takes StartedAt when the process is already running,
	// newer engines before). Zero: all lines belong to this run.
	began time.Time

	// running reports whether the container is still running, and true if the engine does
	// not answer. It is called when a stream ends.
	running func(context.Context) bool
}

// runStart is the earliest possible start of a run: see runLog.
type runStart struct {
	run   int
	began time.Time
}

func newFollower(out *Output) *follower { return &follower{out: out, now: time.Now} }

// follow copies a run's output, and the unread output of the container's earlier runs. It
// returns nil when the container has exited and everything is read, or when the next run is
// followed; or ctx's error when ctx ends. It resumes broken streams. A container that is
// gone matches [orchestrator.ErrNotFound]. An engine that fails for 2 s after the exit, or
// stalls for 10 s, returns its error.
func (f *follower) follow(ctx context.Context, r runLog) error {
	parent := ctx
	ctx, release := f.take(ctx, r)
	if release == nil {
		return nil // a newer run is being followed, which reads this one's lines too
	}
	defer release()
	err := f.copyRun(ctx, r)
	if ctx.Err() != nil {
		return parent.Err()
	}
	return err
}

// readKept copies the container's output that the engine keeps and the follower has not
// read. If the container is not running, this includes a last line without its newline. A
// follow may come after it.
func (f *follower) readKept(ctx context.Context, r runLog) error {
	ctx, release := f.take(ctx, r)
	if release == nil {
		return nil
	}
	defer release()
	_, err := f.copyStream(ctx, r, false)
	return err
}

// take makes the caller the follower's owner. Goroutines of two runs may come in any
// order: release is nil for one that comes after a newer run's.
func (f *follower) take(ctx context.Context, r runLog) (_ context.Context, release func()) {
	f.mu.Lock()
	f.knows(runStart{r.run, r.began})
	if r.run < f.run {
		f.mu.Unlock()
		return nil, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	stop, idle := f.stop, f.idle
	f.run, f.stop, f.idle = r.run, cancel, done
	f.mu.Unlock()
	if stop != nil {
		stop()
		<-idle
	}
	f.cur = r.run
	return ctx, func() { cancel(); close(done) }
}

// knows records the start of a run. It is for the holder of mu.
func (f *follower) knows(s runStart) {
	at, known := slices.BinarySearchFunc(f.runs, s.run, func(have runStart, run int) int { return have.run - run })
	if !known {
		f.runs = slices.Insert(f.runs, at, s)
	}
}

// copyRun reads a run's streams, one after the other.
func (f *follower) copyRun(ctx context.Context, r runLog) error {
	retry := firstRetry
	for {
		lines, err := f.copyStream(ctx, r, true)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, orchestrator.ErrNotFound):
			return err
		case !r.running(ctx):
			return f.drain(ctx, r)
		}
		if lines > 0 {
			retry = firstRetry
		}
		if !wait.Sleep(ctx, retry) {
			return ctx.Err()
		}
		retry = min(2*retry, lastRetry)
	}
}

// drain reads the rest of a run that is over: a following stream may have broken, or been
// ended by the engine, just before the last line.
func (f *follower) drain(ctx context.Context, r runLog) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := fmt.Errorf("read logs: the engine sent nothing for %s: %w", drainLimit, context.DeadlineExceeded)
	stalled := time.AfterFunc(drainLimit, func() { cancel(silent) })
	defer stalled.Stop()
	f.heard = func() { stalled.Reset(drainLimit) }
	defer func() { f.heard = nil }()
	for begin := time.Now(); ; {
		lines, err := f.copyStream(ctx, r, false)
		if lines > 0 {
			begin = time.Now()
		}
		if err == nil || errors.Is(err, orchestrator.ErrNotFound) || time.Since(begin) >= drainTime || !wait.Sleep(ctx, firstRetry) {
			if err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
				return silent
			}
			return err
		}
	}
}

// copyStream reads one stream from the engine to its end, and returns the number of new
// lines. The error is nil if the stream ended between two frames. Without follow it also
// delivers lines left without a newline, if the run is over: they will not be completed.
func (f *follower) copyStream(ctx context.Context, r runLog, follow bool) (lines int, err error) {
	body, err := r.engine.Logs(ctx, r.container, f.since(), follow)
	if err != nil {
		if !errors.Is(err, orchestrator.ErrEngineUnreachable) { // which events report
			f.complain(ctx, err.Error())
		}
		return 0, fmt.Errorf("read logs: %w", err)
	}
	defer body.Close()
	reader := newLineReader(body)
	resumed := f.position
	defer func() {
		for i, line := range reader.lines {
			if line.open && resumed[i].passes(line.time) {
				f.position[i].open = line.time
			}
		}
	}()
	deliver := func(rec record) {
		if f.heard != nil {
			f.heard()
		}
		i := indexOfStream(rec.stream)
		switch {
		case rec.stream == orchestrator.StreamSystem:
			f.complain(ctx, rec.text)
			return
		case f.begunAgain(i, rec) && resumed[i].last.IsZero():
			resumed[i] = f.position[i]
		}
		if resumed[i].passes(rec.time) {
			f.position[i].advance(rec.time)
			f.complaints = nil
			run := f.runOf(rec.time)
			if run == Uncounted && f.earlier {
				f.out.Mark(run, r.began, fmt.Sprintf("── %s restarted ──", f.out.node))
			}
			f.earlier = run == uncountedEarlier
			f.out.Append(rec.stream, run, rec.time, rec.text, rec.cut)
			lines++
		}
	}
	for {
		rec, err := reader.next()
		if err == nil {
			deliver(rec)
			continue
		}
		if malformed := (*orchestrator.LogError)(nil); errors.As(err, &malformed) {
			f.complain(ctx, malformed.Error())
		}
		if !errors.Is(err, io.EOF) {
			return lines, fmt.Errorf("read logs: %w", err)
		}
		if !follow && !r.running(ctx) {
			for _, rec := range reader.rest() {
				deliver(rec)
			}
		}
		return lines, nil
	}
}

// begunAgain reports whether a record is the first one that the engine repeats: see
// follower. If the file had only one record so far, that is the last one again; the
// engine never writes two lines with the same nanosecond.
func (f *follower) begunAgain(i int, rec record) bool {
	last := f.position[i].last
	if rec.time.After(last) || f.now().Before(last) {
		return false
	}
	return rec.time.Before(last) || f.out.endsWith(rec)
}

// runOf returns the run that printed a line of the log. While the past of an adopted container is
// read, the node can be restarted several times.
func (f *follower) runOf(at time.Time) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range slices.Backward(f.runs) {
		if !at.Before(r.began) {
			return r.run
		}
	}
	if first := f.runs[0].run; first != Uncounted {
		return max(first-1, 1)
	}
	return uncountedEarlier
}

// complain shows an error while reading, once for as long as it lasts.
func (f *follower) complain(ctx context.Context, text string) {
	if text == "" || len(f.complaints) == maxComplaints || slices.Contains(f.complaints, text) || ctx.Err() != nil {
		return
	}
	f.complaints = append(f.complaints, text)
	f.out.Mark(f.cur, time.Now(), text)
}

// since returns the time to read from. At first, it is everything that is kept, because a
// container is followed from its first run on, or adopted with its past. Later, it is a
// little before the last line, or from a line on that was incomplete when the stream
// ended, if the other stream continued for longer than the overlap.
//
// The engine skips records until the first that is not older, and none after it. All
// records before the last line, in the order of the log, were delivered, except for
// incomplete lines: so no record is skipped that is still needed. The overlap handles
// timestamps that are out of order if the last line was rotated away.
func (f *follower) since() time.Time {
	var last time.Time
	for _, p := range f.position {
		if p.last.After(last) {
			last = p.last
		}
	}
	if last.IsZero() {
		return last
	}
	since := last.Add(-overlap)
	for _, p := range f.position {
		if !p.open.IsZero() && p.open.Before(since) {
			since = p.open
		}
	}
	return since
}

// position is how far a stream was delivered: count lines with the timestamp last, and
// all lines before them. open is the timestamp of the following line, if a part of it was
// seen.
type position struct {
	last  time.Time
	count int
	open  time.Time
}

func (p *position) advance(at time.Time) {
	if !at.Equal(p.last) {
		*p = position{last: at}
	}
	p.count++
	p.open = time.Time{}
}

// passes reports whether a line that is read again comes after the position. It uses up
// the position: after the first line that passes, all others pass.
func (p *position) passes(at time.Time) bool {
	switch c := at.Compare(p.last); {
	case p.last.IsZero():
		return true
	case c < 0:
		return false
	case c == 0 && p.count > 0:
		p.count--
		return false
	}
	*p = position{}
	return true
}
