package metrics

import (
	"maps"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// tally counts what events tell. Each event counts once, however often it is read: the one that
// follows the cluster and each scrape read the same events. It is safe for concurrent use.
type tally struct {
	mu      sync.Mutex
	last    uint64 // the last event's number
	missed  uint64
	exits   map[orchestrator.ExitClass]uint64
	started map[string]time.Time // when the nodes that are not ready yet began to start
	ready   durations
	syncs   durations
}

func newTally() *tally {
	return &tally{
		exits: map[orchestrator.ExitClass]uint64{}, started: map[string]time.Time{},
		ready: newDurations(readyBuckets), syncs: newDurations(syncBuckets),
	}
}

// after returns the number of the last event.
func (t *tally) after() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// add counts an event, unless it was counted before. Readers begin after the last counted event, so
// a number that was left out is an event that is no longer kept.
func (t *tally) add(e orchestrator.Event) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Seq <= t.last {
		return nil
	}
	t.missed += e.Seq - t.last - 1
	t.last = e.Seq
	switch e.Kind {
	case orchestrator.EventState:
		t.state(e)
	case orchestrator.EventExit:
		if e.Exit != nil {
			t.exits[e.Exit.Class]++
		}
	case orchestrator.EventSync:
		t.syncs.add(e.Took)
	case orchestrator.EventPhase, orchestrator.EventMesh, orchestrator.EventFault, orchestrator.EventUpgrade, orchestrator.EventFinding, orchestrator.EventNote:
	}
	return nil
}

// state measures how long a node takes to become ready.
func (t *tally) state(e orchestrator.Event) {
	begin, starting := t.started[e.Node]
	switch e.State {
	case orchestrator.Creating, orchestrator.Starting:
		if !starting {
			t.started[e.Node] = e.Time
		}
		return
	case orchestrator.Ready:
		if starting {
			t.ready.add(e.Time.Sub(begin))
		}
	case orchestrator.Pending, orchestrator.Running, orchestrator.Degraded, orchestrator.Unreachable, orchestrator.BackingOff, orchestrator.Stopping,
		orchestrator.Stopped, orchestrator.Completed, orchestrator.Failed:
	}
	delete(t.started, e.Node)
}

// counts are a tally's counts at one time.
type counts struct {
	missed uint64
	exits  map[orchestrator.ExitClass]uint64
	ready  durations
	syncs  durations
}

func (t *tally) counts() counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return counts{missed: t.missed, exits: maps.Clone(t.exits), ready: t.ready.clone(), syncs: t.syncs.clone()}
}

// durations counts durations by the buckets of a Prometheus histogram.
type durations struct {
	count   uint64
	sum     float64            // seconds
	buckets map[float64]uint64 // by upper bound, cumulative
}

func newDurations(bounds []float64) durations {
	d := durations{buckets: map[float64]uint64{}}
	for _, b := range bounds {
		d.buckets[b] = 0
	}
	return d
}

func (d *durations) add(took time.Duration) {
	d.count++
	d.sum += took.Seconds()
	for b := range d.buckets {
		if took.Seconds() <= b {
			d.buckets[b]++
		}
	}
}

func (d *durations) clone() durations {
	return durations{d.count, d.sum, maps.Clone(d.buckets)}
}
