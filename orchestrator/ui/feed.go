package ui

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
	"github.com/beamyard/beamyard/orchestrator/secrets"
	"golang.org/x/sync/errgroup"
)

const (
	statusPause       = 250 * time.Millisecond // between two looks at a supervisor's stored status
	unsupervisedPause = 2 * time.Second        // between two looks at labels, each of which asks the engine
	healthPause       = 5 * time.Second        // between two reports
	healthSoon        = time.Second            // between a change and the report that it causes
	healthTime        = 30 * time.Second       // for one report
	journalPause      = 2 * time.Second        // between two looks at the journal
	journalSoon       = 200 * time.Millisecond // between a change and the look that it causes
	linesPause        = 100 * time.Millisecond // between two batches of lines
	openPause         = time.Second            // between two attempts to reach a cluster that is gone
)

// feed learns what happens in one cluster, and puts it on its board.
type feed struct {
	name   string
	src    Source
	board  *board
	opened chan struct{} // closed once it is known whether the cluster can be reached

	mu       sync.Mutex
	known    evidenceOfPairs
	mask     *secrets.Mask
	event    orchestrator.Event  // the last one
	entries  map[entryKey]bool   // the journal's, as last read
	recent   [2]map[lineKey]bool // the last lines: after a reconnect, some come again
	lastLine time.Time           // the time of the latest line
	pending  []json.RawMessage   // lines that wait for their batch
	begun    bool                // the lines from before the feed were sent
}

// entryKey identifies a journal entry.
type entryKey struct {
	time                     int64
	source, node, peer, text string
}

// lineKey identifies a line, whichever supervisor counts it.
type lineKey struct {
	node, stream, text string
	time               int64
}

// recentLines is how many lines, at least, are recognised when they come again. It is more than what
// nodes usually print in overlap.
const recentLines = 4_000

// overlap is how far before the last line reading begins again after a reconnect: lines of
// different nodes do not arrive in the order of their times.
const overlap = 2 * time.Second

func newFeed(src Source, name string) *feed {
	return &feed{
		name: name, src: src, board: newBoard(name), opened: make(chan struct{}),
		entries: map[entryKey]bool{}, mask: secrets.NewMask(), recent: [2]map[lineKey]bool{{}, {}},
	}
}

// run keeps the cluster open until ctx ends.
func (f *feed) run(ctx context.Context) {
	var once sync.Once
	known := func() { once.Do(func() { close(f.opened) }) }
	defer known()
	for ctx.Err() == nil {
		c, err := f.src.Open(ctx, f.name)
		if err == nil {
			err = f.watch(ctx, c, known)
			c.close()
		}
		if ctx.Err() != nil || errors.Is(err, errReopen) {
			continue
		}
		f.board.set(kindGone, f.encode(gone{f.why(err)}))
		known()
		wait.Sleep(ctx, openPause)
	}
}

// why says why the cluster is gone.
func (f *feed) why(err error) string {
	if err == nil {
		return "the cluster " + f.name + " has ended"
	}
	return err.Error()
}

// errReopen says that an unsupervised cluster has a supervisor now.
var errReopen = errors.New("it has a supervisor")

// watch puts what happens on the board until the cluster is gone. It calls known when the board has
// its status.
func (f *feed) watch(ctx context.Context, c *Cluster, known func()) error {
	st, err := c.Status(ctx)
	if err != nil {
		return err
	}
	f.begin(c, st)
	known()
	group, ctx := errgroup.WithContext(ctx)
	journal, report := make(chan struct{}, 1), make(chan struct{}, 1)
	wake := func() {
		for _, loop := range []chan struct{}{journal, report} {
			select {
			case loop <- struct{}{}:
			default: // it is awake
			}
		}
	}
	group.Go(func() error { return f.followStatus(ctx, c, wake) })
	group.Go(func() error { return f.followHealth(ctx, c, report) })
	group.Go(func() error { return f.followLines(ctx, c) })
	group.Go(func() error { return f.sendLines(ctx) })
	if c.Supervised {
		group.Go(func() error { return f.followEvents(ctx, c, wake) })
		group.Go(func() error { return f.followJournal(ctx, c, journal) })
	} else {
		group.Go(func() error { return f.awaitSupervisor(ctx) })
	}
	err = group.Wait()
	if errors.Is(err, errEnded) {
		return nil
	}
	return err
}

// errEnded says that a stream of the cluster has ended: so has the cluster.
var errEnded = errors.New("the cluster has ended")

// begin takes over a cluster that was just opened.
func (f *feed) begin(c *Cluster, st orchestrator.Status) {
	takeOver := ""
	if c.TakeOver != nil {
		takeOver = hint.Supervise.On(f.name).String()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mask = secrets.NewMask(c.Spec)
	f.tellStatus(st)
	f.board.greet(c.Supervised, takeOver)
}

// encode returns the JSON of a message, masked.
func (f *feed) encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain data
	}
	return f.mask.JSON(data)
}

// tellStatus reports a status, under the lock, and whether it changed.
func (f *feed) tellStatus(st orchestrator.Status) (changed bool) {
	f.known.status = st
	if changed = f.board.set(kindStatus, f.encode(st.Printed())); changed {
		f.tellPairs()
	}
	return changed
}

// tellPairs reports the matrix, under the lock.
func (f *feed) tellPairs() { f.board.set(kindPairs, f.encode(matrix(f.known, time.Now()))) }

// followStatus reports the status when it changed.
func (f *feed) followStatus(ctx context.Context, c *Cluster, wake func()) error {
	pause := statusPause
	if !c.Supervised {
		pause = unsupervisedPause
	}
	for wait.Sleep(ctx, pause) {
		st, err := c.Status(ctx)
		if err != nil {
			return err
		}
		f.mu.Lock()
		changed := f.tellStatus(st)
		f.mu.Unlock()
		if changed {
			wake()
		}
	}
	return ctx.Err()
}

// followEvents reports each event. After a reconnect it gets those again that are still kept.
func (f *feed) followEvents(ctx context.Context, c *Cluster, wake func()) error {
	err := c.Events(ctx, 0, true, func(e orchestrator.Event) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if e.Time.Before(f.event.Time) || e.Time.Equal(f.event.Time) && e.Seq <= f.event.Seq {
			return nil
		}
		f.event = e
		f.board.add(kindHappened, f.encode(e.Printed()))
		wake()
		return nil
	})
	return ended(ctx, err)
}

// ended returns the error of a stream that has ended without one.
func ended(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return errEnded
	}
	return err
}

// followJournal reports new entries, soon after it is woken.
func (f *feed) followJournal(ctx context.Context, c *Cluster, woken <-chan struct{}) error {
	for {
		entries, err := c.Journal(ctx)
		if err != nil {
			return err
		}
		f.tellJournal(entries)
		if err := next(ctx, woken, journalSoon, journalPause); err != nil {
			return err
		}
	}
}

// next waits until shortly after it is woken, or else for a longer time.
func next(ctx context.Context, woken <-chan struct{}, soon, late time.Duration) error {
	timer := time.NewTimer(late)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-woken:
		wait.Sleep(ctx, soon)
	}
	return ctx.Err()
}

// tellJournal reports the entries that were not in it before. The engine's stay out: they say what
// the events say.
func (f *feed) tellJournal(entries []orchestrator.JournalEntry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := make(map[entryKey]bool, len(entries))
	fresh := false
	for _, e := range entries {
		if e.Source == orchestrator.FromEngine {
			continue
		}
		key := entryKey{e.Time.UnixNano(), string(e.Source), e.Node, e.Peer, e.Text}
		now[key] = true
		if f.entries[key] {
			continue
		}
		fresh = true
		f.known.journal = append(f.known.journal, e)
		f.board.add(kindJournal, f.encode(e))
	}
	f.entries = now
	if most := 2 * keptEntries; len(f.known.journal) > most {
		f.known.journal = slices.Clone(f.known.journal[len(f.known.journal)-keptEntries:])
	}
	if fresh {
		f.tellPairs()
	}
}

// keptEntries is as many as a supervisor keeps.
const keptEntries = 10_000

// followHealth reports the health, soon after it is woken. A report that fails is left out: the
// status tells if the cluster is gone.
func (f *feed) followHealth(ctx context.Context, c *Cluster, woken <-chan struct{}) error {
	for {
		asking, cancel := context.WithTimeout(ctx, healthTime)
		report, err := c.Health(asking)
		cancel()
		if err == nil {
			f.tellHealth(report)
		}
		if err := next(ctx, woken, healthSoon, healthPause); err != nil {
			return err
		}
	}
}

func (f *feed) tellHealth(report orchestrator.HealthReport) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known.health = &report
	printed := report.Printed()
	printed.Code = nil // the hashes of modules; a check says which modules differ
	f.board.set(kindHealth, f.encode(printed))
	for _, s := range samplesOf(report) {
		f.board.add(kindSample, f.encode(s))
	}
	f.tellPairs()
}

// followLines collects what nodes print. After a reconnect it begins a little before the last line,
// and leaves out what it has.
func (f *feed) followLines(ctx context.Context, c *Cluster) error {
	for {
		f.mu.Lock()
		query := orchestrator.LogQuery{Follow: true, Tail: keptLines}
		if !f.lastLine.IsZero() {
			query = orchestrator.LogQuery{Follow: true, Since: f.lastLine.Add(-overlap)}
		}
		f.mu.Unlock()
		err := c.Logs(ctx, query, func(l orchestrator.Line) error {
			f.takeLine(l)
			return nil
		})
		if c.Supervised || ctx.Err() != nil {
			return ended(ctx, err)
		}
		if !wait.Sleep(ctx, unsupervisedPause) { // no node runs: one may be started
			return ctx.Err()
		}
	}
}

func (f *feed) takeLine(l orchestrator.Line) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := lineKey{l.Node, string(l.Stream), l.Text, l.Time.UnixNano()}
	if !l.Time.IsZero() && (f.recent[0][key] || f.recent[1][key]) {
		return
	}
	if l.Time.After(f.lastLine) {
		f.lastLine = l.Time
	}
	if len(f.recent[0]) >= recentLines {
		f.recent = [2]map[lineKey]bool{{}, f.recent[0]}
	}
	f.recent[0][key] = true
	f.pending = append(f.pending, f.encode(l))
}

// sendLines sends what was collected, in batches.
func (f *feed) sendLines(ctx context.Context) error {
	for wait.Sleep(ctx, linesPause) {
		f.mu.Lock()
		lines := f.pending
		f.pending = nil
		if !f.begun && len(lines) > 0 { // each node has given as many as a newcomer gets in all
			lines, f.begun = lines[max(0, len(lines)-keptLines):], true
		}
		f.mu.Unlock()
		for batch := range slices.Chunk(lines, maxBatch) {
			f.board.addLines(batch)
		}
	}
	return ctx.Err()
}

// maxBatch bounds one message.
const maxBatch = 1_000

// awaitSupervisor returns [errReopen] once a supervisor answers.
func (f *feed) awaitSupervisor(ctx context.Context) error {
	for wait.Sleep(ctx, unsupervisedPause) {
		c, err := f.src.Open(ctx, f.name)
		if err != nil {
			continue // the status tells
		}
		c.close()
		if c.Supervised {
			return errReopen
		}
	}
	return ctx.Err()
}
