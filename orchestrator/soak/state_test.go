//go:build soak

package soak

import (
	"sync"
	"time"
)

// deeds records the actions that later steps depend on.
type deeds struct {
	lock    sync.Mutex
	dead    bool // no supervisor, or an `up` in progress
	alive   time.Time
	stopped map[string]bool      // nodes that were stopped from outside
	hits    map[string]time.Time // the last fault of a node
	done    map[kind]int         // steps that had an effect
	missed  map[kind]int         // steps that had none
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

// deadSince reports whether something that began then may have met no supervisor, or one
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

// setStopped records a stop, and returns the previous record.
func (d *deeds) setStopped(node string, stopped bool) (before bool) {
	d.lock.Lock()
	defer d.lock.Unlock()
	before, d.stopped[node] = d.stopped[node], stopped
	return before
}

// hit counts a step that had an effect.
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

// hitSince reports whether the node had another fault since.
func (d *deeds) hitSince(node string, begin time.Time) bool {
	d.lock.Lock()
	defer d.lock.Unlock()
	return d.hits[node].After(begin)
}
