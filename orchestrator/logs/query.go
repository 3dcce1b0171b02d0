package logs

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file answers a [orchestrator.LogQuery] from the outputs of nodes.

// filter is a compiled query.
type filter struct {
	orchestrator.LogQuery
	grep *regexp.Regexp // nil matches all
	from int            // the run that SinceRestart begins with; 0: not known yet

	untilStop bool // leaves out what [Output.Stopping] says
	lastRun   bool // leaves out the runs before the last one that printed or was marked
}

// newFilter compiles a query.
func newFilter(q orchestrator.LogQuery) (filter, error) {
	f := filter{LogQuery: q}
	if q.Grep == "" {
		return f, nil
	}
	var err error
	if f.grep, err = regexp.Compile(q.Grep); err != nil {
		return f, orchestrator.WithHint(err, `the syntax is RE2's; write \Q before a text to take it literally: '\Qa.b'`)
	}
	return f, nil
}

// takes reports whether a line matches. Marks of a run's boundary are shown whatever the
// pattern is.
func (f *filter) takes(stream orchestrator.Stream, e *entry) bool {
	switch {
	case e.time.Before(f.Since), f.Run != 0 && e.run != f.Run, f.SinceRestart && e.run < f.from:
		return false
	case f.grep == nil, stream == orchestrator.StreamSystem:
		return true
	}
	return f.grep.MatchString(e.text)
}

// everything reports whether the query selects all lines, so that a missing line is a
// gap.
func (f *filter) everything() bool {
	return f.Tail == 0 && f.Since.IsZero() && f.Run == 0 && !f.SinceRestart && f.grep == nil
}

// Read implements [orchestrator.Controller].Logs over the outputs of the queried nodes. Existing
// lines come in the order of time. Followed lines come as they arrive, sorted by time if
// several arrive at once. A following read ends when every output is closed.
func Read(ctx context.Context, outputs []*Output, q orchestrator.LogQuery, fn func(orchestrator.Line) error) error {
	want, err := newFilter(q)
	if err != nil {
		return err
	}
	filters := slices.Repeat([]filter{want}, len(outputs))
	news := make(chan struct{}, 1)
	if q.Follow {
		for _, o := range outputs {
			o.watch(news)
			defer o.unwatch(news)
		}
	}
	cursors := make([]cursor, len(outputs))
	batches := make([][]orchestrator.Line, len(outputs))
	for {
		over := true
		for i, o := range outputs {
			if filters[i].SinceRestart && filters[i].from == 0 {
				filters[i].from = o.lastRun()
			}
			lines, lost, closed := o.unread(&cursors[i], filters[i])
			batches[i] = append(o.gaps(lost, lines), lines...)
			filters[i].Tail = 0
			over = over && closed
		}
		err := mergeByTime(batches, func(l orchestrator.Line) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return fn(l)
		})
		switch {
		case q.Follow && ctx.Err() != nil:
			return nil
		case err != nil || over || !q.Follow:
			return err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil
		}
	}
}

func (o *Output) lastRun() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.run
}

// gaps returns a line for each stream that lost lines before the first of lines.
func (o *Output) gaps(lost cursor, lines []orchestrator.Line) []orchestrator.Line {
	var marks []orchestrator.Line
	for i, n := range lost {
		if n == 0 {
			continue
		}
		mark := orchestrator.Line{Node: o.node, Stream: orchestrator.StreamSystem, Dropped: n, Text: fmt.Sprintf("── %d lines of %s's %s are no longer kept ──", n, o.node, streams[i])}
		if n == 1 {
			mark.Text = fmt.Sprintf("── 1 line of %s's %s is no longer kept ──", o.node, streams[i])
		}
		if len(lines) > 0 {
			mark.Run, mark.Time = lines[0].Run, lines[0].Time
		}
		marks = append(marks, mark)
	}
	return marks
}

// mergeByTime calls fn with the lines of all batches, the earliest first. Lines of one
// batch keep their order.
func mergeByTime(batches [][]orchestrator.Line, fn func(orchestrator.Line) error) error {
	for {
		first := -1
		for i, b := range batches {
			if len(b) > 0 && (first < 0 || b[0].Time.Before(batches[first][0].Time)) {
				first = i
			}
		}
		if first < 0 {
			return nil
		}
		if err := fn(batches[first][0]); err != nil {
			return err
		}
		batches[first] = batches[first][1:]
	}
}
