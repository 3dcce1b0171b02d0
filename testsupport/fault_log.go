package testsupport

import (
	"slices"
	"sync"
	"time"

	"github.com/beamyard/beamyard/testsupport/history"
)

// This file keeps what tests broke, for package history.

var _ history.FaultLog = (*Cluster)(nil)

// Faults returns what the tests that use the cluster have broken, ordered by begin:
// what it was, and from when until when it may have had an effect. A node that a restart
// policy brings back counts as down until the test starts it or ends. Faults implements
// history.FaultLog.
func (c *Cluster) Faults() []history.Fault { return c.log.all() }

// faultLog has an entry for each time that a fault was in force. The key of a fault is that in
// Cluster.broken.
type faultLog struct {
	mu      sync.Mutex
	entries []logged
}

type logged struct {
	key string
	history.Fault
}

func (l *faultLog) all() []history.Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]history.Fault, len(l.entries))
	for i, e := range l.entries {
		all[i] = e.Fault
	}
	slices.SortStableFunc(all, func(a, b history.Fault) int { return a.Begin.Compare(b.Begin) })
	return all
}

// begin records that a fault is in force.
func (l *faultLog) begin(key, what string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, logged{key, history.Fault{What: what, Begin: at}})
}

// again records that a fault which was undone is in force again.
func (l *faultLog) again(key string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range slices.Backward(l.entries) {
		if e.key == key {
			l.entries = append(l.entries, logged{key, history.Fault{What: e.What, Begin: at}})
			return
		}
	}
}

// end records that faults are undone. Those that are not in force stay as they are.
func (l *faultLog) end(at time.Time, keys ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, e := range l.entries {
		if e.End.IsZero() && slices.Contains(keys, e.key) {
			l.entries[i].End = at
		}
	}
}

// passed records a fault that is over.
func (l *faultLog) passed(what string, begin, end time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, logged{"", history.Fault{What: what, Begin: begin, End: end}})
}

// forget removes everything: another test uses the cluster.
func (l *faultLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = nil
}
