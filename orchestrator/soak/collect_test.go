//go:build soak

package soak

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
)

// stream is one node's stdout or stderr.
type stream struct {
	node string
	name orchestrator.Stream
}

// collector follows the lines of one supervisor after another. Each supervisor reads the
// engine's log from the first line on, so a line has the same Seq in all of them:
// repeated lines are compared, and a new line must be the next one.
type collector struct {
	r *rig

	mu       sync.Mutex
	lines    map[stream][]string // of Seq 1, 2, …
	again    int                 // lines that a later supervisor delivered again
	sessions int
	system   map[string]int // lines of StreamSystem with an error
	wrong    map[stream]int // the number of violations, of which only the first few are reported
}

func newCollector(r *rig) *collector {
	return &collector{r: r, lines: map[stream][]string{}, system: map[string]int{}, wrong: map[stream]int{}}
}

// count returns the number of lines of a stream.
func (c *collector) count(s stream) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lines[s])
}

// followAll reads until ctx ends.
func (c *collector) followAll(ctx context.Context) {
	c.r.eachSupervisor(ctx, func(client *control.Client) error {
		c.mu.Lock()
		c.sessions++
		c.mu.Unlock()
		s := session{c: c, runs: map[string]int{}, begin: time.Now()}
		return client.Logs(ctx, orchestrator.LogQuery{Follow: true}, func(l orchestrator.Line) error {
			s.take(l)
			return nil
		})
	})
}

// session is what one supervisor delivers.
type session struct {
	c     *collector
	runs  map[string]int // the printer's number of a run of a node → Line.Run
	begin time.Time
}

func (s *session) take(l orchestrator.Line) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.Stream == orchestrator.StreamSystem {
		if !strings.HasSuffix(l.Text, " ──") || strings.Contains(l.Text, "cannot be read") {
			c.system[l.Text]++
			c.r.note("%s: system line: %s", l.Node, l.Text)
		}
		return
	}
	key := stream{l.Node, l.Stream}
	kept := c.lines[key]
	switch have := uint64(len(kept)); {
	case l.Seq == have+1:
		c.lines[key] = append(kept, l.Text)
	case l.Seq > have+1:
		c.violation(key, fmt.Sprintf("%s %s: line %d comes after line %d: %q", l.Node, l.Stream, l.Seq, have, l.Text))
		for uint64(len(c.lines[key])) < l.Seq-1 {
			c.lines[key] = append(c.lines[key], "(never told)")
		}
		c.lines[key] = append(c.lines[key], l.Text)
	case kept[l.Seq-1] != l.Text:
		c.violation(key, fmt.Sprintf("%s %s: line %d was %q, and now is %q", l.Node, l.Stream, l.Seq, kept[l.Seq-1], l.Text))
	default:
		c.again++
	}
	if run, _, ok := printed(l.Text); ok {
		id := l.Node + " " + run
		if before, seen := s.runs[id]; seen && before != l.Run {
			c.violation(key, fmt.Sprintf("%s %s: line %d, %q of %s, is of run %d; another one of that run was of run %d",
				l.Node, l.Stream, l.Seq, l.Text, l.Time.Format("15:04:05.000000"), l.Run, before))
		}
		s.runs[id] = l.Run
	}
}

func (c *collector) violation(key stream, text string) {
	c.wrong[key]++
	if c.wrong[key] <= 3 {
		c.r.violation("%s", text)
	}
}

// printed parses a line of the printer: "out 1764000000000000 17".
func printed(line string) (run string, k int, ok bool) {
	var name string
	n, err := fmt.Sscanf(line, "%s %s %d", &name, &run, &k)
	return run, k, err == nil && n == 3 && (name == "out" || name == "err") && len(run) == 16
}

// watcher follows the events of one supervisor after another.
type watcher struct {
	r *rig

	mu    sync.Mutex
	kinds map[orchestrator.EventKind]int
	ends  map[string]int // by their kinds
}

func newWatcher(r *rig) *watcher {
	return &watcher{r: r, kinds: map[orchestrator.EventKind]int{}, ends: map[string]int{}}
}

func (w *watcher) followAll(ctx context.Context) {
	w.r.eachSupervisor(ctx, func(client *control.Client) error {
		return client.Events(ctx, 0, true, func(e orchestrator.Event) error {
			w.take(e)
			if e.State == orchestrator.Failed {
				w.r.violation("%s must never fail for good; the supervisor says: %s", e.Node, e.Text)
			}
			return nil
		})
	})
}

func (w *watcher) take(e orchestrator.Event) {
	if e.Kind != orchestrator.EventMesh {
		w.r.note("  supervisor: %s %s", e.Time.Local().Format("15:04:05.000"), e.Text)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kinds[e.Kind]++
	if _, what, told := strings.Cut(e.Text, ": "); told && e.State == orchestrator.BackingOff && strings.Contains(what, "; restart ") {
		class, _, _ := strings.Cut(what, " (")
		w.ends[class]++
	}
}

// eachSupervisor calls fn with a client of each supervisor, one after another, until ctx
// ends.
func (r *rig) eachSupervisor(ctx context.Context, fn func(*control.Client) error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		if client, err := control.Dial(ctx, r.cluster); err == nil {
			err = fn(client)
			client.Close()
			if err != nil && !errors.Is(err, orchestrator.ErrNoSupervisor) && !errors.Is(err, orchestrator.ErrClosed) && ctx.Err() == nil {
				r.violation("following a supervisor: want lines until it dies, got %v", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}
