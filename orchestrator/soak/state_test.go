//go:build soak

package soak

import (
	"sync"
	"time"
)

// deeds is what was done, as far as later steps must know.
type deeds struct {
	lock    sync.Mutex
	dead    bool // no supervisor, or an `up` is under way
	alive   time.Time
	stopped map[string]bool      // nodes that were stopped from outside
	hits    map[string]time.Time // the last fault of a node
	done    map[kind]int         // steps that hit
	missed  map[kind]int         // and that did not
}

func newDeeds() deeds {
	return deeds{stopped: map[string]bool{}, hits: map[string]time.Time{}, done: map[kind]int{}, missed: map[kind]int{}}
}

func (d *deeds) setDead(dead bool) {
	d.lock.Lock()
	defer d.lock.Unlock()
	if d.dead = dead; !dead {
		d.alive = time.Now()
	}
}

// deadSince says whether what began then may have met no supervisor, or one
// that was adopting.
func (d *deeds) deadSince(begin time.Time) bool {
	d.lock.Lock()
	defer d.lock.Unlock()
	return d.dead || d.alive.After(begin)
}

func (d *deeds) busyUp() bool {
	d.lock.Lock()
	defer d.lock.Unlock()
	return d.dead
}

// setStopped notes it, and returns what was noted.
func (d *deeds) setStopped(node string, stopped bool) (before bool) {
	d.lock.Lock()
	defer d.lock.Unlock()
	before, d.stopped[node] = d.stopped[node], stopped
	return before
}

// hit counts a step that was done.
func (d *deeds) hit(s step, missed bool) {
	d.lock.Lock()
	defer d.lock.Unlock()
	if missed {
		d.missed[s.kind]++
		return
	}
	d.done[s.kind]++
	d.hits[s.node] = time.Now()
}

// hitSince says whether another fault of the node was done since.
func (d *deeds) hitSince(node string, begin time.Time) bool {
	d.lock.Lock()
	defer d.lock.Unlock()
	return d.hits[node].After(begin)
}
