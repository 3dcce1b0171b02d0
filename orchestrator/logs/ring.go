package logs

import "time"

// ring keeps the last lines of one stream, numbered from 1. It holds at most max lines
// and at most limit bytes of text, whatever lines it is given, and always the last one.
// Its slots grow with use up to max, and are then reused: an append allocates nothing.
//
// The line with number seq is in slot (seq-1) % max. The kept lines are first ≤ seq <
// next.
type ring struct {
	slots       []entry
	max         int
	limit       int
	size        int // bytes of text kept
	first, next uint64
}

// entry is a kept line. arrival counts the lines of all streams of a node, to order lines
// with the same time.
type entry struct {
	time    time.Time
	text    string
	arrival uint64
	run     int
	cut     bool
}

// newRing returns a ring of lines lines (at least one) with 8 KiB of text for each on
// average, at least 1 MiB: 8 MB for the default of 1000.
func newRing(lines int) ring {
	lines = max(lines, 1)
	return ring{max: lines, limit: max(lines*(8<<10), 1<<20), first: 1, next: 1}
}

func (r *ring) at(seq uint64) *entry { return &r.slots[(seq-1)%uint64(r.max)] }

func (r *ring) append(e entry) {
	if r.next-r.first == uint64(r.max) {
		r.drop()
	}
	if len(r.slots) < r.max {
		r.slots = append(r.slots, e) // the slots are filled in order until all exist
	} else {
		*r.at(r.next) = e
	}
	r.next++
	r.size += len(e.text)
	for r.size > r.limit && r.next-r.first > 1 {
		r.drop()
	}
}

func (r *ring) drop() {
	e := r.at(r.first)
	r.size -= len(e.text)
	e.text = ""
	r.first++
}
