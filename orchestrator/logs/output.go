package logs

import (
	"context"
	"math"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/erlterm"
)

// Output is the recent output of one node, over all its runs: a bounded ring of lines for
// each stream. Writers never wait for readers. Readers pull, each at its own pace, and one
// that falls behind by more than a ring holds sees a gap in [orchestrator.Line].Seq. All
// methods are safe for concurrent use.
//
// Lines of both streams are sorted by their runs, within a run by the engine's time, and
// at the same time by arrival. Lines of one stream always stay in the order in which they
// were printed.
//
// If nothing counts the runs, all lines have the run [Uncounted], and a mark shows where the
// last run begins.
type Output struct {
	node string

	mu       sync.Mutex
	rings    [len(streams)]ring
	run      int // the latest run that printed or was marked
	arrivals uint64
	stop     struct { // what the run printed after these arrivals is the answer to its stop
		asked    bool
		run      int
		arrivals uint64
	}
	watchers []chan<- struct{} // each holds one token while there may be new lines
	awaited  []*awaited
	closed   bool
}

// Uncounted is the last run of a container whose runs nothing counts, because it has no
// supervisor. The engine's start time separates it from the earlier runs.
const Uncounted = 0

// uncountedEarlier is the run of the lines before those of run Uncounted.
const uncountedEarlier = Uncounted - 1

// streams lists the streams in the order of their rings, which is also the order of the
// engine's frame headers.
var streams = [...]orchestrator.Stream{orchestrator.Stdout, orchestrator.Stderr, orchestrator.StreamSystem}

func indexOfStream(s orchestrator.Stream) int {
	switch s {
	case orchestrator.Stdout:
		return 0
	case orchestrator.Stderr:
		return 1
	case orchestrator.StreamSystem:
	}
	return 2
}

// awaited is a pattern to look for in each run. Lines are matched as they arrive, so that
// a match counts even if the ring has dropped the line since.
type awaited struct {
	expr *regexp.Regexp
	run  int // the latest run in which a line matched
}

// Await starts matching lines against expr from now on; see [Output.Said].
func (o *Output) Await(expr *regexp.Regexp) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.awaited = append(o.awaited, &awaited{expr: expr})
}

// Said reports whether the node printed a line, in that run or a later one, that matches
// an awaited expression.
func (o *Output) Said(expr string, run int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.awaited, func(a *awaited) bool { return a.expr.String() == expr && a.run >= run })
}

// newOutput keeps that many lines of each stream of a node, and 8 KiB of text for each
// line on average.
func newOutput(node string, lines int) *Output {
	o := &Output{node: node}
	for i := range o.rings {
		o.rings[i] = newRing(lines)
	}
	return o
}

// Append adds a line that the node printed at a time of the engine's clock. It allocates
// nothing except, at first, room for the line.
func (o *Output) Append(stream orchestrator.Stream, run int, at time.Time, text string, cut bool) {
	o.mu.Lock()
	o.arrivals++
	o.run = max(o.run, run)
	o.rings[indexOfStream(stream)].append(entry{time: at, text: text, arrival: o.arrivals, run: run, cut: cut})
	for _, a := range o.awaited {
		if a.run < run && stream != orchestrator.StreamSystem && a.expr.MatchString(text) {
			a.run = run
		}
	}
	for _, w := range o.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
	o.mu.Unlock()
}

// endsWith reports whether a record is the last line of its stream.
func (o *Output) endsWith(rec record) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := &o.rings[indexOfStream(rec.stream)]
	if r.next == r.first {
		return false
	}
	last := r.at(r.next - 1)
	return last.time.Equal(rec.time) && last.text == rec.text
}

// Mark adds a line of [orchestrator.StreamSystem], such as the boundary before a run. It uses no
// sequence number of the other streams.
func (o *Output) Mark(run int, at time.Time, text string) {
	o.Append(orchestrator.StreamSystem, run, at.UTC().Round(0), text, false)
}

// Stopping says that the node is now asked to end this run. What it prints from here on is part of its
// output, and not of an [Output.Excerpt]: it does not say why anything failed. Asking again changes
// nothing.
func (o *Output) Stopping(run int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stop.asked && o.stop.run == run {
		return
	}
	o.stop.asked, o.stop.run, o.stop.arrivals = true, run, o.arrivals
}

// Close marks the output as complete: followers return once they have read the remaining
// lines.
func (o *Output) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for _, w := range o.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// Tail returns the last n lines of all streams; all kept lines if n is 0.
func (o *Output) Tail(n int) []orchestrator.Line { return o.TailStream("", n) }

// TailStream returns the last n lines of one stream ("": of all); all kept lines if n is
// 0.
func (o *Output) TailStream(stream orchestrator.Stream, n int) []orchestrator.Line {
	lines, _, _ := o.unread(new(cursor), filter{LogQuery: orchestrator.LogQuery{Stream: stream, Tail: n}})
	return lines
}

// Read calls fn with the lines that match the query, as [orchestrator.Controller].Logs does for a
// node. It ignores the query's nodes.
func (o *Output) Read(ctx context.Context, q orchestrator.LogQuery, fn func(orchestrator.Line) error) error {
	return Read(ctx, []*Output{o}, q, fn)
}

// Dropped returns how many lines of stdout and stderr are no longer kept.
func (o *Output) Dropped() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rings[indexOfStream(orchestrator.Stdout)].first + o.rings[indexOfStream(orchestrator.Stderr)].first - 2
}

// maxExcerpt is the length to which lines of an excerpt are cut: a report shows what a
// node printed, but not 256 KiB of inspected state.
const maxExcerpt = 1000

// Excerpt returns up to n of the last lines for the report of a failure, each prefixed
// with its stream ("stderr: …"). Those of stderr come first, because there the VM says
// why it ends. Each stream may use half of n, plus what the other leaves. Erlang terms are
// made readable, and then clean is applied, before a line is cut: a secret that is printed
// as bytes, or a part of one, would not be recognised.
// If clean is nil, lines are not cleaned. Lines after [Output.Stopping] are left out.
func (o *Output) Excerpt(n int, clean func(string) string) []string {
	return o.excerpt(n, filter{untilStop: true}, clean)
}

// ExcerptOfRun is [Output.Excerpt] of the last run alone.
func (o *Output) ExcerptOfRun(n int, clean func(string) string) []string {
	return o.excerpt(n, filter{untilStop: true, lastRun: true}, clean)
}

func (o *Output) excerpt(n int, f filter, clean func(string) string) []string {
	if n <= 0 {
		return nil
	}
	tail := func(stream orchestrator.Stream) []orchestrator.Line {
		f.LogQuery = orchestrator.LogQuery{Stream: stream, Tail: n}
		lines, _, _ := o.unread(new(cursor), f)
		return lines
	}
	stdout, stderr := tail(orchestrator.Stdout), tail(orchestrator.Stderr)
	stderr = lastOf(stderr, max(n/2, n-len(stdout)))
	stdout = lastOf(stdout, n-len(stderr))
	var excerpt []string
	for _, l := range slices.Concat(stderr, stdout) {
		l.Text = erlterm.Readable(l.Text)
		if clean != nil {
			l.Text = clean(l.Text)
		}
		if len(l.Text) > maxExcerpt {
			l.Text = l.Text[:maxExcerpt] + "…"
		}
		excerpt = append(excerpt, string(l.Stream)+": "+l.Text)
	}
	return excerpt
}

func lastOf(lines []orchestrator.Line, n int) []orchestrator.Line {
	return lines[max(0, len(lines)-n):]
}

// cursor holds, for each ring, the number of the first line that a reader has not read.
type cursor [len(streams)]uint64

// unread returns the lines after the cursor that match the query, and moves the cursor to
// the end. It also returns how many lines of each stream were dropped before they were
// read, and whether the output is complete.
func (o *Output) unread(c *cursor, q filter) (lines []orchestrator.Line, lost cursor, closed bool) {
	limit := q.Tail
	switch {
	case limit == 0:
		limit = math.MaxInt
	case limit < 0:
		limit = 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var from, to cursor
	for i, stream := range streams {
		r := &o.rings[i]
		from[i], to[i] = max(c[i], r.first), r.next
		if q.Stream != "" && q.Stream != stream {
			from[i] = r.next
		} else if read := max(c[i], 1); r.first > read && (c[i] > 0 || q.everything()) {
			lost[i] = r.first - read
		}
		c[i] = r.next
	}
	for len(lines) < limit { // backwards from the last one, so that a short tail is cheap
		last := -1
		for i := range o.rings {
			if to[i] > from[i] && (last < 0 || o.rings[last].at(to[last]-1).before(o.rings[i].at(to[i]-1))) {
				last = i
			}
		}
		if last < 0 {
			break
		}
		to[last]--
		e := o.rings[last].at(to[last])
		if q.untilStop && o.stop.asked && e.run == o.stop.run && e.arrival > o.stop.arrivals || q.lastRun && e.run < o.run {
			continue
		}
		if q.takes(streams[last], e) {
			lines = append(lines, orchestrator.Line{
				Node: o.node, Stream: streams[last], Seq: to[last],
				Run: max(e.run, Uncounted), Time: e.time, Text: e.text, Cut: e.cut,
			})
		}
	}
	slices.Reverse(lines)
	return lines, lost, o.closed
}

func (e *entry) before(other *entry) bool {
	if e.run != other.run {
		return e.run < other.run
	}
	if c := e.time.Compare(other.time); c != 0 {
		return c < 0
	}
	return e.arrival < other.arrival
}

func (o *Output) watch(news chan<- struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watchers = append(o.watchers, news)
}

func (o *Output) unwatch(news chan<- struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watchers = slices.DeleteFunc(o.watchers, func(w chan<- struct{}) bool { return w == news })
}
